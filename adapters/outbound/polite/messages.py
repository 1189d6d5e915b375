"""Replies: an upstream's response, its headers and its body within bounds."""

import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus

import msgspec

from adapters.outbound.polite.failures import Absent, RetryableError, incomplete, too_large
from adapters.outbound.polite.limits import MIB, http_date, is_used_up, wait_s
from adapters.outbound.polite.urls import Url
from domain.errors import SourceBlocked, SourceRefused, SourceUnavailable, UnexpectedContent
from domain.payloads import Payload

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

    RetryableError when it is cut short; UnexpectedContent when it is damaged or too large.
    """
    limit = min(max_decoded, max(RATIO_FROM, MAX_RATIO * len(packed)))
    unpacked = _Unpacked(limit, place)
    # In slices, because each member's end copies what follows it.
    for start in range(0, len(packed), _SLICE):
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


REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOT_MODIFIED = 304
_GOOD = frozenset({200, 203})
_PASSING = frozenset({408, 425, 500, 502, 503, 504})
_ABSENT = frozenset({404, 410, 451})
_LEAST_WHEN_LIMITED_S = 1.0
_LONGEST_ETAG = 512
_KEPT_HEADERS = ("link", "cache-control")
#: What tells the end of a body; a packed one has its end within.
_BOUNDS = frozenset({"content-length", "transfer-encoding", "content-encoding"})


class UpstreamResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A body, decoded, with what the upstream says about it; `url` is where it was found.

    `headers` holds `link` and `cache-control`, where present. An answer is `bounded` when it said
    where it ends, so that it cannot have been cut short unnoticed.
    """

    url: str
    status: int
    body: bytes
    received_at: datetime
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    headers: Mapping[str, str] = {}
    bounded: bool = True

    def payload(self, page: int) -> Payload:
        """The answer as one page of what a source gives."""
        return Payload(
            url=self.url,
            body=self.body,
            content_type=self.content_type,
            received_at=self.received_at,
            page=page,
            etag=self.etag,
            last_modified=self.last_modified,
        )


class NotModified(msgspec.Struct, frozen=True):
    """What we have is still what the upstream has."""

    url: str


class RawResponse(msgspec.Struct, frozen=True):
    """One reply as it came, with its body unpacked; header names are lower case."""

    status: int
    headers: Mapping[str, tuple[str, ...]]
    body: bytes = b""

    def header(self, name: str) -> str:
        """The values of a header, joined by commas, or an empty text."""
        return ", ".join(self.headers.get(name, ()))

    def answer(self, url: Url, now: datetime) -> UpstreamResponse:
        """What the asker gets to see of a good reply."""
        return UpstreamResponse(
            url=url.text,
            status=self.status,
            body=self.body,
            received_at=now,
            content_type=self.header("content-type"),
            etag=_kept_etag(self.header("etag")),
            last_modified=_kept_last_modified(self.header("last-modified"), now),
            headers={name: self.header(name) for name in _KEPT_HEADERS if name in self.headers},
            bounded=not _BOUNDS.isdisjoint(self.headers),
        )


def judge(reply: RawResponse, url: Url, conditional: bool, now: datetime) -> None:
    """Let a usable reply pass: a body, a redirect, or the 304 that was asked for.

    RetryableError for what may pass; SourceUnavailable, SourceRefused or UnexpectedContent.
    """
    status = reply.status
    if status in _GOOD:
        if not reply.body:
            raise UnexpectedContent(f"{url.place} answered nothing at all", code="empty")
    elif status == NOT_MODIFIED:
        if not conditional:
            raise UnexpectedContent(f"{url.place} answered 304, though nothing was known of it")
    elif status >= 400:
        _judge_failure(reply, url, now)
    elif status in (204, 205):
        raise UnexpectedContent(f"{url.place} answered nothing at all", code="empty")
    elif status not in REDIRECTS:
        raise UnexpectedContent(f"{url.place} answered {_phrase(status)}, which holds no records")


def judge_post(reply: RawResponse, url: Url, now: datetime) -> None:
    """Let a reply pass that says that what was sent has arrived; errors as for `judge`."""
    if reply.status >= 400:
        _judge_failure(reply, url, now)
    elif not 200 <= reply.status < 300:
        raise SourceRefused(
            f"{url.place} answered {_phrase(reply.status)}, which says nothing of an arrival;"
            " if it has moved, change its address"
        )


def _judge_failure(reply: RawResponse, url: Url, now: datetime) -> None:
    said = f"{url.place} answered {_phrase(reply.status)}"
    block_s = wait_s(reply.headers, now)
    retry_at = None if block_s is None else now + timedelta(seconds=block_s)
    if reply.status == 429 or (reply.status == 403 and (is_used_up(reply.headers) or block_s)):
        raise RetryableError(
            SourceBlocked(f"{said}: we ask more often than it allows", retry_at=retry_at),
            block_s=block_s,
            least_s=_LEAST_WHEN_LIMITED_S,
        )
    if reply.status in _PASSING:
        raise RetryableError(SourceUnavailable(said, retry_at=retry_at), block_s=block_s)
    if reply.status >= 500:
        raise SourceUnavailable(said, retry_at=retry_at)
    refused = Absent if reply.status in _ABSENT else SourceRefused
    raise refused(f"{said}; check its address and whether we may read it")


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _kept_etag(text: str) -> str | None:
    sound = text.isascii() and text.isprintable() and 0 < len(text) <= _LONGEST_ETAG
    return text if sound else None


def _kept_last_modified(text: str, now: datetime) -> str | None:
    moment = http_date(text)
    return None if moment is None or moment > now else text
