"""Bodies: how they are packed, unpacked within bounds, and what a refusal says in its own."""

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
#: What says nothing of the body, and what says so in the wrong header.
_PLAIN = frozenset({"", "identity", "none", "utf-8", "utf8", "aws-chunked"})
_GZIP = frozenset({"gzip", "x-gzip"})


def is_packed(encoding: str, place: str) -> bool:
    """Whether a Content-Encoding is the one we asked for; UnexpectedContent for any other."""
    names = [name for each in encoding.lower().split(",") if (name := each.strip()) not in _PLAIN]
    if not names:
        return False
    if len(names) == 1 and names[0] in _GZIP:
        return True
    raise UnexpectedContent(
        f"{place} answers in an encoding nobody asked for; gzip is all we accept",
        code="unsupported_encoding",
    )


def gunzip(
    packed: bytes, max_decoded: int, place: str, is_over: Callable[[], bool] = lambda: False
) -> bytes:
    """Unpack a gzip body of any number of members, unless the time `is_over` meanwhile.

    RetryableError when it is cut short; UnexpectedContent when it is damaged or too large.
    """
    limit = min(max_decoded, max(RATIO_FROM, MAX_RATIO * len(packed)))
    unpacked = _Unpacked(limit, place)
    # In slices, because each member's end copies what follows it.
    for start in range(0, len(packed), _SLICE):
        if is_over():
            raise late(place)
        unpacked.feed(packed[start : start + _SLICE])
    if not unpacked.is_whole:
        raise RetryableError(incomplete(place))
    return b"".join(unpacked.pieces)


class _Unpacked:
    """What has been unpacked so far, never more than the limit."""

    def __init__(self, limit: int, place: str) -> None:
        self.pieces: list[bytes] = []
        self._limit = limit
        self._place = place
        self._size = 0
        self._member = zlib.decompressobj(wbits=31)

    @property
    def is_whole(self) -> bool:
        """Whether the last member has reached its end."""
        return self._member.eof

    def feed(self, data: bytes) -> None:
        while data:
            if self._member.eof:
                # Packers fill up to the end of a block with zeros, which mean nothing.
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
                raise too_large(self._place, f"{self._limit / MIB:.3g} MiB unpacked")
            self.pieces.append(piece)
            data = self._member.unused_data

    def _damaged(self) -> UnexpectedContent:
        return UnexpectedContent(
            f"{self._place} says that its answer is gzip, and it is not, or damaged",
            code="bad_encoding",
        )


# ---------------------------------------------------------------- refusals

#: So much of what a refusal says is read.
MAX_SAID = 16 * 1024
_LIMITED = re.compile(
    rb"rate[\s_-]?limit|secondary[\s_-]limit|abuse detection|too[\s_-]?many[\s_-]?requests"
    rb"|(?:rate|quota|limit)[\s_-]?(?:is |was |has been )?exceeded|throttl",
    re.IGNORECASE,
)


def says_limited(said: bytes) -> bool:
    """Whether the body of a refusal speaks of a limit, and not of what was asked for."""
    return _LIMITED.search(said) is not None


def unpack_start(said: bytes, encoding: str) -> bytes:
    """Return the beginning of a body, unpacked if it is packed; as it is if it cannot be."""
    if "gzip" not in encoding.lower():
        return said
    try:
        return zlib.decompressobj(wbits=31).decompress(said, MAX_SAID)
    except zlib.error:
        return said
