"""Text as it arrives: brought to UTF-8."""

import codecs
import re

from domain.errors import UnexpectedContent

# UTF-32 first, because its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSETS = {
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "iso-8859-1": "latin-1",
    "latin-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
}
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)


def to_utf8(body: bytes, content_type: str) -> bytes:
    """Recode a body by its byte order mark, or else by its declared charset.

    What is not valid in that charset is not valid in the result either, so that only the record
    it stands in is lost. UnexpectedContent when the body ends within a character.
    """
    charset = _charset(body, content_type)
    if charset is None:
        return body
    if charset == "utf-8-sig":
        return body.removeprefix(codecs.BOM_UTF8)
    errors = "surrogateescape" if charset == "cp1252" else "surrogatepass"
    try:
        return body.decode(charset, errors).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise UnexpectedContent("the body ends within a character", code="incomplete") from error


def _charset(body: bytes, content_type: str) -> str | None:
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return charset
    declared = _CHARSET.search(content_type)
    return _CHARSETS.get(declared[1].lower()) if declared else None
