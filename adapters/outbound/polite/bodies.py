"""Bodies: unpacked within limits, and searched for a rate limit in a refusal."""

import re
import zlib
from collections.abc import Callable

from adapters.outbound.polite.failures import RetryableError, incomplete, late, too_large
from domain.errors import UnexpectedContent

MIB = 1024 * 1024
MAX_RATIO = 200
#: Small bodies may unpack to this much, whatever their ratio.
RATIO_FROM = MIB

_SLICE = 64 * 1024
#: Values that mean no encoding, also wrong ones that are in use.
_PLAIN = frozenset({"", "identity", "none", "utf-8", "utf8", "aws-chunked"})
_GZIP = frozenset({"gzip", "x-gzip"})


def is_packed(encoding: str, label: str) -> bool:
    """Return whether a Content-Encoding is gzip; raise UnexpectedContent for any other encoding."""
    names = [name for each in encoding.lower().split(",") if (name := each.strip()) not in _PLAIN]
    if not names:
        return False
    if len(names) == 1 and names[0] in _GZIP:
        return True
    raise UnexpectedContent(
        f"{label} answers in an encoding that was not requested; only gzip is accepted",
        code="unsupported_encoding",
    )


def gunzip(
    packed: bytes, max_decoded: int, label: str, is_over: Callable[[], bool] = lambda: False
) -> bytes:
    """Unpack a gzip body of any number of members, until the time `is_over`.

    Raise RetryableError if it is truncated, UnexpectedContent if it is damaged or too large.
    """
    limit = min(max_decoded, max(RATIO_FROM, MAX_RATIO * len(packed)))
    unpacked = _Unpacked(limit, label)
    # In slices, because each member's end copies what follows it.
    for start in range(0, len(packed), _SLICE):
        if is_over():
            raise late(label)
        unpacked.feed(packed[start : start + _SLICE])
    if not unpacked.is_whole:
        raise RetryableError(incomplete(label))
    return b"".join(unpacked.pieces)


class _Unpacked:
    """The pieces unpacked so far, never more than the limit."""

    def __init__(self, limit: int, label: str) -> None:
        self.pieces: list[bytes] = []
        self._limit = limit
        self._label = label
        self._size = 0
        self._member = zlib.decompressobj(wbits=31)

    @property
    def is_whole(self) -> bool:
        """Return whether the last member is complete."""
        return self._member.eof

    def feed(self, data: bytes) -> None:
        while data:
            if self._member.eof:
                # Some packers pad the last block with zeros.
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._member = zlib.decompressobj(wbits=31)
            try:
                # One byte above the limit, so that the limit itself is still allowed.
                piece = self._member.decompress(data, self._limit - self._size + 1)
            except zlib.error as error:
                raise self._damaged() from error
            self._size += len(piece)
            if self._size > self._limit:
                raise too_large(self._label, f"{self._limit / MIB:.3g} MiB unpacked")
            self.pieces.append(piece)
            data = self._member.unused_data

    def _damaged(self) -> UnexpectedContent:
        return UnexpectedContent(
            f"{self._label} declares gzip, but the body is something else, or damaged",
            code="bad_encoding",
        )


# ---------------------------------------------------------------- refusals

#: The most bytes that are read of a refusal's body.
MAX_REFUSAL = 16 * 1024
_LIMITED = re.compile(
    rb"rate[\s_-]?limit|secondary[\s_-]limit|abuse detection|too[\s_-]?many[\s_-]?requests"
    rb"|(?:rate|quota|limit)[\s_-]?(?:is |was |has been )?exceeded|throttl",
    re.IGNORECASE,
)


def mentions_limit(body: bytes) -> bool:
    """Return whether the body of a refusal mentions a rate limit."""
    return _LIMITED.search(body) is not None


def unpack_start(start: bytes, encoding: str) -> bytes:
    """Return the start of a body, unpacked if possible."""
    if "gzip" not in encoding.lower():
        return start
    try:
        return zlib.decompressobj(wbits=31).decompress(start, MAX_REFUSAL)
    except zlib.error:
        return start
