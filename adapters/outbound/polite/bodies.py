"""Bodies: unpacked by ourselves, so that a small one cannot become a huge one."""

import zlib

from adapters.outbound.polite.allowance import MIB
from adapters.outbound.polite.failures import Setback, incomplete, too_large
from domain.errors import UnexpectedContent

MAX_RATIO = 200
#: Small bodies may unpack to this much, whatever their ratio.
RATIO_FROM = MIB
MAX_MEMBERS = 10_000

_SLICE = 64 * 1024
_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})


def is_packed(encoding: str, place: str) -> bool:
    """Whether a Content-Encoding is the one we asked for; UnexpectedContent for any other."""
    encoding = encoding.strip().lower()
    if encoding in _PLAIN:
        return False
    if encoding in _GZIP:
        return True
    raise UnexpectedContent(
        f"{place} answers in an encoding nobody asked for; gzip is all we accept",
        code="unsupported_encoding",
    )


def gunzip(packed: bytes, max_decoded: int, place: str) -> bytes:
    """Unpack a gzip body of any number of members.

    Setback when it is cut short; UnexpectedContent when it is damaged or unpacks to too much.
    """
    limit = min(max_decoded, max(RATIO_FROM, MAX_RATIO * len(packed)))
    unpacked = _Unpacked(limit, place)
    # In slices, because each member's end copies what follows it.
    for start in range(0, len(packed), _SLICE):
        unpacked.feed(packed[start : start + _SLICE])
    if not unpacked.is_whole:
        raise Setback(incomplete(place))
    return b"".join(unpacked.pieces)


class _Unpacked:
    """What has been unpacked so far, never more than the limit."""

    def __init__(self, limit: int, place: str) -> None:
        self.pieces: list[bytes] = []
        self._limit = limit
        self._place = place
        self._size = 0
        self._members = 1
        self._member = zlib.decompressobj(wbits=31)

    @property
    def is_whole(self) -> bool:
        """Whether the last member has reached its end."""
        return self._member.eof

    def feed(self, data: bytes) -> None:
        while data:
            if self._member.eof:
                data = self._next_member(data)
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

    def _next_member(self, data: bytes) -> bytes:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise self._damaged()
        self._member = zlib.decompressobj(wbits=31)
        return data

    def _damaged(self) -> UnexpectedContent:
        return UnexpectedContent(
            f"{self._place} says that its answer is gzip, and it is not, or damaged",
            code="bad_encoding",
        )
