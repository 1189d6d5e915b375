"""Text as it arrives: brought to UTF-8."""

import codecs
import re

from domain.errors import UnexpectedContent

#: Why a record is rejected whose bytes are not valid in the charset of its body.
NOT_TEXT = "holds bytes that are not text in its charset"

_MARKED = "utf-8-sig"
# UTF-32 first, because its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, _MARKED),
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


class Recoder:
    """Recodes a text that comes in pieces, by its byte order mark or else its declared charset.

    What is not valid in that charset is not valid in the result either, so that only the record
    it stands in is lost. `head` is how the text begins: four bytes are enough.
    """

    def __init__(self, head: bytes, content_type: str) -> None:
        charset = _charset(head, content_type)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._mark = codecs.BOM_UTF8 if charset == _MARKED else b""
        if charset not in (None, _MARKED):
            errors = "surrogateescape" if charset == "cp1252" else "surrogatepass"
            self._decoder = codecs.getincrementaldecoder(charset)(errors)

    def __call__(self, piece: bytes, last: bool = False) -> bytes:
        """The next piece as UTF-8; UnexpectedContent when the text ends within a character."""
        if self._decoder is None:
            mark, self._mark = self._mark, b""
            return piece.removeprefix(mark)
        try:
            return self._decoder.decode(piece, last).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise UnexpectedContent(
                "the body ends within a character", code="incomplete"
            ) from error


def to_utf8(body: bytes, content_type: str) -> bytes:
    """Recode a whole body; UnexpectedContent when it ends within a character."""
    return Recoder(body, content_type)(body, last=True)


def _charset(body: bytes, content_type: str) -> str | None:
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return charset
    declared = _CHARSET.search(content_type)
    return _CHARSETS.get(declared[1].lower()) if declared else None
