"""Messages: what is asked of an upstream, what it answers, and what its headers say."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType

import msgspec

from adapters.outbound.polite.failures import Absent, RetryableError
from adapters.outbound.polite.urls import Url
from domain.errors import SourceBlocked, SourceRefused, SourceUnavailable, UnexpectedContent
from domain.payloads import Payload
from domain.politeness import clamp_block_s

Headers = Mapping[str, Sequence[str]]

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

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


class UpstreamRequest(msgspec.Struct, frozen=True):
    """What is asked: a GET, perhaps only for what has changed, or a POST of a JSON body.

    `headers` may hold a secret between us and this very host.
    """

    url: Url
    headers: Mapping[str, str] = NO_HEADERS
    etag: str | None = None
    last_modified: str | None = None
    body: bytes | None = None

    @property
    def is_conditional(self) -> bool:
        """Whether "not modified" would be an answer."""
        return self.etag is not None or self.last_modified is not None

    def redirected(self, location: str) -> "UpstreamRequest":
        """The same request where the upstream sent us; SourceRefused when that is elsewhere."""
        url = self.url.leads_to(location) if location else None
        if url is None:
            raise SourceRefused(
                f"{self.url.place} sends us to another place, where we do not follow; if it has"
                " moved, change its address",
                code="redirect_refused",
            )
        # Validators belong to the exact URL, so they stay behind.
        return UpstreamRequest(url, self.headers)


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

    def fresh_until(self, now: datetime) -> datetime | None:
        """Until when the upstream says that this reply will do; None when it does not say."""
        fresh = fresh_s(self.headers)
        return None if fresh is None else now + timedelta(seconds=fresh)

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


# ---------------------------------------------------------------- which replies are of use


def judge(reply: RawResponse, request: UpstreamRequest, now: datetime) -> None:
    """Raise an error unless a reply is of use: a body, a redirect, or the 304 that was asked for.

    To a POST only a status is: what was sent has arrived. RetryableError for what may pass;
    SourceUnavailable, SourceRefused or UnexpectedContent.
    """
    if request.body is None:
        _judge_get(reply, request.url, request.is_conditional, now)
    else:
        _judge_post(reply, request.url, now)


def _judge_get(reply: RawResponse, url: Url, conditional: bool, now: datetime) -> None:
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


def _judge_post(reply: RawResponse, url: Url, now: datetime) -> None:
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


# ---------------------------------------------------------------- what headers say

_SECONDS = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?([eE]\+?[0-9]{1,2})?")
_LONGEST_DATE = 64
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]{1,9})\"?\s*(?=,|$)", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|,)\s*no-(?:store|cache)\b", re.IGNORECASE)
_AGE = re.compile(r"\s*([0-9]{1,9})\s*")
_LINK = re.compile(r'<([^<>]*)>((?:[^<",]|"[^"]*")*+)')
_RELATION = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s";,]+))', re.IGNORECASE)


def wait_s(headers: Headers, now: datetime) -> float | None:
    """Seconds to leave the host alone, at most a day; None when it says nothing we can use.

    Dates are measured against our clock. Of several answers the longest counts.
    """
    told = [_retry_after_s(text.strip(), now) for text in headers.get("retry-after", ())]
    return _longest([*told, renewed_s(headers, now)])


def renewed_s(headers: Headers, now: datetime) -> float | None:
    """Seconds until there is a new allowance, when nothing is left of the one that there was."""
    if not is_used_up(headers):
        return None
    return _longest([_reset_s(text, now) for text in headers.get("x-ratelimit-reset", ())])


def _longest(told: list[float | None]) -> float | None:
    return max((clamp_block_s(s) for s in told if s is not None and s >= 0), default=None)


def is_used_up(headers: Headers) -> bool:
    """Whether the upstream says that nothing is left of its rate limit, as GitHub does."""
    return "0" in headers.get("x-ratelimit-remaining", ())


def http_date(text: str) -> datetime | None:
    """Read any of the three date formats of HTTP, or None."""
    if len(text) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        # The asctime form names no zone; HTTP says that it is UTC.
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _retry_after_s(text: str, now: datetime) -> float | None:
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = http_date(text)
    return None if moment is None else (moment - now).total_seconds()


def _reset_s(text: str, now: datetime) -> float | None:
    return float(text) - now.timestamp() if _SECONDS.fullmatch(text) else None


def fresh_s(headers: Headers) -> float | None:
    """For how many seconds the upstream says that its answer will do; None when it does not say."""
    told = ",".join(headers.get("cache-control", ()))
    match = _MAX_AGE.search(told)
    if match is None or _NOT_KEPT.search(told):
        return None
    age = _AGE.fullmatch(next(iter(headers.get("age", ())), ""))
    return clamp_block_s(float(match[1]) - (float(age[1]) if age else 0.0)) or None


def next_link(header: str) -> str | None:
    """The target of `rel="next"` in a Link header, if there is one."""
    for target, parameters in _LINK.findall(header):
        relation = _RELATION.search(parameters)
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            return str(target)
    return None


def _kept_etag(text: str) -> str | None:
    sound = text.isascii() and text.isprintable() and 0 < len(text) <= _LONGEST_ETAG
    return text if sound else None


def _kept_last_modified(text: str, now: datetime) -> str | None:
    moment = http_date(text)
    return None if moment is None or moment > now else text
