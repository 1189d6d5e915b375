"""Charsets: recodes text to UTF-8, by its byte order mark, its content and its label."""

import codecs
import re
from functools import lru_cache
from typing import Protocol

from domain.errors import UnexpectedContent

#: The reason for rejecting a record with bytes that are invalid in the body's charset.
NOT_TEXT = "holds bytes that are not text in its charset"
#: The number of bytes that are used to detect a charset.
HEAD = 4096

# UTF-32 first, because its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LABEL = re.compile(r";\s*charset\s*=\s*[\"']?([^\s\"';,]+)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9._:+-]{1,40}")
#: Codecs of text that are not charsets: host names, and Python's string literals.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})
#: Charsets that are UTF-8 or a subset of it.
_UTF8 = frozenset({"utf-8", "utf-8-sig", "ascii"})
_WIDE = ("utf-16", "utf-32")
#: Seven-bit charsets, whose bytes are always valid UTF-8, too.
_SEVEN_BITS = ("iso2022", "hz", "utf-7")
#: Labels that stand for a superset, as in browsers, because their senders use it.
_WINDOWS = {"iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874"}
_MEANT = {"gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}

_INVALID = "catchment.invalid"
#: No valid UTF-8 contains it, so exactly the records that contain it are rejected.
_LONE_SURROGATE = "\ud800"


def _replace_invalid(error: UnicodeError) -> tuple[str, int]:
    """Replace bytes that are invalid in a charset by text that is invalid in UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _LONE_SURROGATE, error.end


codecs.register_error(_INVALID, _replace_invalid)


@lru_cache(maxsize=256)
def charset_named(label: str) -> str | None:
    """Return Python's name of a charset; None if Python cannot decode it as text."""
    if not _NAME.fullmatch(label):
        return None
    try:
        name = codecs.lookup(label).name
        # This raises LookupError for codecs from bytes to bytes.
        b"a".decode(name, "ignore")
    except (LookupError, UnicodeError):
        return None
    return None if name.replace("_", "-") in _NO_CHARSETS else name


def label_of(content_type: str) -> str:
    """Return the charset of a content type, as written there, or an empty text."""
    found = _LABEL.search(content_type)
    return found[1] if found else ""


class _Decoder(Protocol):
    def decode(self, piece: bytes, final: bool = False, /) -> str: ...

    def getstate(self) -> tuple[bytes, int]: ...


class Recoder:
    """A recoder of a table in pieces, by its byte order mark or else its declared charset.

    Invalid bytes stay invalid in the result, so that only their record is lost. `head` is the
    beginning of the text, up to HEAD bytes. Raises UnexpectedContent for an unknown charset,
    unless the text is `known_utf8`.
    """

    def __init__(self, head: bytes, content_type: str, known_utf8: bool = False) -> None:
        charset = _charset_of_table(head, content_type, known_utf8)
        self._decoder = None if charset in _UTF8 else _decoder(charset)
        self._mark = codecs.BOM_UTF8

    def __call__(self, piece: bytes, last: bool = False) -> bytes:
        """Return the next piece as UTF-8; raise UnexpectedContent if it ends within a character."""
        if self._decoder is None:
            text = piece
        else:
            text = _decoded(self._decoder, piece, last).encode("utf-8", "surrogatepass")
        if not text:
            return text
        mark, self._mark = self._mark, b""
        return text.removeprefix(mark)


def to_utf8(body: bytes, content_type: str) -> bytes:
    """Recode the body of a table; raise UnexpectedContent if it ends within a character."""
    label = label_of(content_type)
    unknown = bool(label) and charset_named(label) is None
    return Recoder(body[:HEAD], content_type, unknown and _is_utf8(body))(body, last=True)


def json_to_utf8(body: bytes, content_type: str) -> bytes:
    """Recode a JSON text, which is UTF-8; its label is used only if it is not.

    Raise UnexpectedContent if neither fits, or if the text ends within a character.
    """
    charset = _charset_of_json(body, content_type)
    if charset in _UTF8:
        return body.removeprefix(codecs.BOM_UTF8)
    text = _decoded(_decoder(charset), body, last=True)
    return text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")


# ---------------------------------------------------------------- decoding


class _Superset:
    """A decoder of a single-byte charset, in which undefined bytes are control characters."""

    def __init__(self, charset: str) -> None:
        self._table = "".join(
            bytes([byte]).decode(charset, "ignore") or chr(byte) for byte in range(256)
        )

    def decode(self, piece: bytes, final: bool = False, /) -> str:
        return codecs.charmap_decode(piece, "strict", self._table)[0]

    def getstate(self) -> tuple[bytes, int]:
        return b"", 0


def _decoder(charset: str) -> _Decoder:
    if charset in _WINDOWS:
        return _Superset(_WINDOWS[charset])
    return codecs.getincrementaldecoder(_MEANT.get(charset, charset))(_INVALID)


def _decoded(decoder: _Decoder, piece: bytes, last: bool) -> str:
    text = decoder.decode(piece)
    if last:
        pending, _ = decoder.getstate()
        rest = decoder.decode(b"", True)
        if pending and _LONE_SURROGATE in rest:
            raise UnexpectedContent("the body ends within a character", code="incomplete")
        text += rest
    return text


# ---------------------------------------------------------------- which charset it is


def _charset_of_table(head: bytes, content_type: str, known_utf8: bool) -> str:
    if marked := _marked(head):
        return marked
    label = label_of(content_type) or "utf-8"
    charset = charset_named(label)
    if charset is None:
        if known_utf8:
            return "utf-8"
        raise _unknown(label)
    return _narrowed(charset, head) if charset.startswith(_WIDE) else charset


def _narrowed(charset: str, head: bytes) -> str:
    """Return the byte order of a wide charset, or UTF-8 if the label is wrong."""
    if b"\0" not in head:
        return "utf-8"
    if charset not in _WIDE:
        return charset
    # Most characters of a table, its delimiters at least, are ASCII, with zeros as high bytes.
    step = 2 if charset == "utf-16" else 4
    first, last = (head[start::step].count(b"\0") for start in (0, step - 1))
    return f"{charset}-be" if first > last else f"{charset}-le"


def _charset_of_json(body: bytes, content_type: str) -> str:
    if found := _marked(body) or _seen_by_zeros(body[:4]):
        return found
    label = label_of(content_type) or "utf-8"
    charset = charset_named(label)
    # Bytes that are invalid UTF-8 cost only their record, as in any charset.
    if charset in _UTF8 or _is_json_in_utf8(body, charset):
        return "utf-8"
    if charset is None:
        raise _unknown(label)
    if charset.startswith(_WIDE):
        raise UnexpectedContent(
            f"the body is labelled {label}, and its bytes are neither that nor UTF-8; the upstream"
            " has to send one or the other",
            code="wrong_charset",
        )
    return charset


def _is_json_in_utf8(body: bytes, charset: str | None) -> bool:
    """Return whether a body with another label is JSON in UTF-8.

    A seven-bit charset is trusted, because its bytes are always valid UTF-8. A body that does not
    begin as JSON may still do so in the charset of its label.
    """
    if charset is not None and not charset.startswith(_WIDE):
        if charset.startswith(_SEVEN_BITS) and body.isascii():
            return False
        if body.lstrip()[:1] not in (b"[", b"{"):
            return False
    return _is_utf8(body)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _marked(head: bytes) -> str:
    return next((charset for mark, charset in _MARKS if head.startswith(mark)), "")


def _seen_by_zeros(head: bytes) -> str:
    """Return the wide charset by the zeros in the first characters, which are ASCII in JSON."""
    zeros = [byte == 0 for byte in head.ljust(4, b" ")]
    if zeros[0]:
        return "utf-32-be" if zeros[1] else "utf-16-be"
    if zeros[1]:
        return "utf-32-le" if zeros[2] and zeros[3] else "utf-16-le"
    return ""


def _unknown(label: str) -> UnexpectedContent:
    name = label if _NAME.fullmatch(label) else "of some other name"
    return UnexpectedContent(
        f"the charset {name} is unknown; send UTF-8, or any charset of text that Python decodes",
        code="unknown_charset",
    )
