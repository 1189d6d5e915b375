"""JSON as it arrives: brought to UTF-8, and cut into the elements of its list."""

import codecs
import re
from collections.abc import Iterator

from domain.errors import UnexpectedContent

MAX_DEPTH = 64

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

_STRING = rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_FLAT = rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+"
#: A list or object without another inside is one token, which makes most records one token.
_TOKEN = re.compile(
    rb"\{" + _FLAT + rb"\}|\[" + _FLAT + rb"\]|" + _STRING + rb"|[\[\]{},]", re.DOTALL
)


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


def elements(text: bytes) -> Iterator[bytes]:
    """Yield the elements of a JSON list one by one, whether or not they are valid JSON.

    A strict parser gives up at the first bad one; this one only follows quotes and brackets.
    UnexpectedContent when the list does not end, ends twice, or nests too deeply.
    """
    text = text.strip()
    depth, start = 1, 1
    for token in _TOKEN.finditer(text, 1):
        mark = token[0]
        if mark == b"," and depth == 1:
            yield text[start : token.start()]
            start = token.end()
        elif mark in (b"[", b"{"):
            depth = _deeper(depth)
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                yield from _last(text, start, token.start())
                return
    raise UnexpectedContent("the JSON list does not end", code="incomplete")


def _last(text: bytes, start: int, end: int) -> Iterator[bytes]:
    if end != len(text) - 1:
        raise UnexpectedContent("there is more text after the JSON list")
    if start > 1 or text[start:end].strip():
        yield text[start:end]


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise too_deep()
    return depth + 1


def too_deep() -> UnexpectedContent:
    """The nesting of a body is an attack, or a mistake."""
    return UnexpectedContent(f"the JSON nests more than {MAX_DEPTH} deep", code="too_deep")


def _charset(body: bytes, content_type: str) -> str | None:
    for mark, charset in _MARKS:
        if body.startswith(mark):
            return charset
    declared = _CHARSET.search(content_type)
    return _CHARSETS.get(declared[1].lower()) if declared else None
