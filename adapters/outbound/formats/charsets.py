"""Text as it arrives: brought to UTF-8, by its own bytes and by what its label says."""

import codecs
import re
from functools import lru_cache
from typing import Protocol

from domain.errors import UnexpectedContent

#: Why a record is rejected whose bytes are not valid in the charset of its body.
NOT_TEXT = "holds bytes that are not text in its charset"
#: So much of how a text begins tells its charset.
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
#: Codecs of text that are no charsets: names of hosts, and how Python writes strings.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})
#: Charsets of which UTF-8 is one, or a part.
_UTF8 = frozenset({"utf-8", "utf-8-sig", "ascii"})
_WIDE = ("utf-16", "utf-32")
#: Charsets that write everything in seven bits, so that their bytes are valid UTF-8 as well.
_SEVEN_BITS = ("iso2022", "hz", "utf-7")
#: Labels that mean more than they say, as browsers read them: those who write them use it.
_WINDOWS = {"iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874"}
_MEANT = {"gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}

_SPOILED = "catchment.spoiled"
#: No text in UTF-8 holds it, so that the record it comes to stand in is rejected, and no other.
_LONE_SURROGATE = "\ud800"


def _spoil(error: UnicodeError) -> tuple[str, int]:
    """Replace what is not valid in a charset by what is not valid in UTF-8 either."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _LONE_SURROGATE, error.end


codecs.register_error(_SPOILED, _spoil)


@lru_cache(maxsize=256)
def charset_named(label: str) -> str | None:
    """Return Python's name of the charset a label names, or None when there is none we decode."""
    if not _NAME.fullmatch(label):
        return None
    try:
        name = codecs.lookup(label).name
        # Of codecs that turn bytes into bytes this is a LookupError.
        b"a".decode(name, "ignore")
    except (LookupError, UnicodeError):
        return None
    return None if name.replace("_", "-") in _NO_CHARSETS else name


def label_of(content_type: str) -> str:
    """Return the charset a content type names, as it is written there, or an empty text."""
    found = _LABEL.search(content_type)
    return found[1] if found else ""


class _Decoder(Protocol):
    def decode(self, piece: bytes, final: bool = False, /) -> str: ...

    def getstate(self) -> tuple[bytes, int]: ...


class Recoder:
    """Recodes a table that comes in pieces, by its byte order mark or else its declared charset.

    What is not valid in that charset is not valid in the result either, so that only the record
    it stands in is lost. `head` is how the text begins, up to HEAD bytes. UnexpectedContent for a
    charset that is not known, unless the text is `known_utf8`.
    """

    def __init__(self, head: bytes, content_type: str, known_utf8: bool = False) -> None:
        charset = _charset_of_table(head, content_type, known_utf8)
        self._decoder = None if charset in _UTF8 else _decoder(charset)
        self._mark = codecs.BOM_UTF8

    def __call__(self, piece: bytes, last: bool = False) -> bytes:
        """The next piece as UTF-8; UnexpectedContent when the text ends within a character."""
        if self._decoder is None:
            text = piece
        else:
            text = _decoded(self._decoder, piece, last).encode("utf-8", "surrogatepass")
        if not text:
            return text
        mark, self._mark = self._mark, b""
        return text.removeprefix(mark)


def to_utf8(body: bytes, content_type: str) -> bytes:
    """Recode the whole body of a table; UnexpectedContent when it ends within a character."""
    label = label_of(content_type)
    unknown = bool(label) and charset_named(label) is None
    return Recoder(body[:HEAD], content_type, unknown and _is_utf8(body))(body, last=True)


def json_to_utf8(body: bytes, content_type: str) -> bytes:
    """Recode a JSON text, which is UTF-8; its label counts only where the bytes are not.

    UnexpectedContent when they are neither, or end within a character.
    """
    charset = _charset_of_json(body, content_type)
    if charset in _UTF8:
        return body.removeprefix(codecs.BOM_UTF8)
    text = _decoded(_decoder(charset), body, last=True)
    return text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")


# ---------------------------------------------------------------- decoding


class _Superset:
    """Decodes a charset of single bytes, in which a byte without a meaning is a control."""

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
    return codecs.getincrementaldecoder(_MEANT.get(charset, charset))(_SPOILED)


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
    """Tell which way round a charset of wide characters is, or that the label is mistaken."""
    if b"\0" not in head:
        return "utf-8"
    if charset not in _WIDE:
        return charset
    # Most characters of a table, its delimiters at least, are ASCII: their first byte is the zero.
    step = 2 if charset == "utf-16" else 4
    first, last = (head[start::step].count(b"\0") for start in (0, step - 1))
    return f"{charset}-be" if first > last else f"{charset}-le"


def _charset_of_json(body: bytes, content_type: str) -> str:
    if found := _marked(body) or _seen_by_zeros(body[:4]):
        return found
    label = label_of(content_type) or "utf-8"
    charset = charset_named(label)
    # Bytes that claim to be UTF-8 and are not cost the record they stand in, as in any charset.
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
    """Whether a body labelled otherwise is UTF-8; in seven bits its label is all there is to go by.

    What does not even begin as JSON may still do so in the charset it is labelled with.
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
    """Tell wide characters by the zeros in the first ones, which are ASCII in any JSON text."""
    zeros = [byte == 0 for byte in head.ljust(4, b" ")]
    if zeros[0]:
        return "utf-32-be" if zeros[1] else "utf-16-be"
    if zeros[1]:
        return "utf-32-le" if zeros[2] and zeros[3] else "utf-16-le"
    return ""


def _unknown(label: str) -> UnexpectedContent:
    name = label if _NAME.fullmatch(label) else "of some other name"
    return UnexpectedContent(
        f"the charset {name} is not known here; UTF-8 is best, and any charset of text that Python"
        " decodes can be named",
        code="unknown_charset",
    )
