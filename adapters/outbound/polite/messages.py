"""Messages: what is asked of an upstream, what it answers, and what its headers say."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType

import msgspec

from adapters.outbound.polite.bodies import is_packed, says_limited
from adapters.outbound.polite.failures import Absent, HostRefused, RetryableError
from adapters.outbound.polite.headers import fresh_s, http_date
from adapters.outbound.polite.rate_headers import is_used_up, wait_s
from adapters.outbound.polite.urls import Url
from domain.errors import SourceBlocked, SourceRefused, SourceUnavailable, UnexpectedContent
from domain.payloads import Payload

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOT_MODIFIED = 304
#: Its body may say that it is a limit.
FORBIDDEN = 403
_GOOD = frozenset({200, 203})
_PASSING = frozenset({408, 425, 500, 502, 503, 504})
_ABSENT = frozenset({404, 410, 451})
_LEAST_WHEN_LIMITED_S = 1.0
#: For so long a host is left alone that forbids to ask as often, and says no time.
_FORBIDDEN_FOR_S = 60.0
_LONGEST_ETAG = 512
_KEPT_HEADERS = ("link", "cache-control")
#: What tells the end of a body; a packed one has its end within.
_BOUNDS = frozenset({"content-length", "transfer-encoding"})


class Validators(msgspec.Struct, frozen=True):
    """The marks of the version of a URL that is known, which mean nothing for any other URL."""

    url: str
    etag: str | None = None
    last_modified: str | None = None


class HostRules(msgspec.Struct, frozen=True):
    """The rules of a host that are in its documentation and not in its answers.

    `patience_s` is how long one try waits for the next bytes; the deadline alone decides
    otherwise. `limited_for_s` is how long to leave it alone when it limits us and says no time,
    `refused_for_s` when it does not accept who asks: otherwise an answer about one address.
    """

    patience_s: float | None = None
    limited_for_s: float | None = None
    refused_for_s: float | None = None


NO_RULES = HostRules()


class Wanted(msgspec.Struct, frozen=True):
    """What an asker wants to see of an answer, beside the usual.

    `headers` are names in lower case; an answer of one of the `statuses` is no failure.
    """

    headers: Collection[str] = frozenset()
    statuses: Collection[int] = frozenset()


NOTHING_ELSE = Wanted()


class UpstreamRequest(msgspec.Struct, frozen=True):
    """What is asked: a GET, perhaps only for what has changed, or a POST of a JSON body.

    `headers` may hold a secret between us and this very host, whose `rules` are kept.
    """

    url: Url
    headers: Mapping[str, str] = NO_HEADERS
    validators: Validators | None = None
    rules: HostRules = NO_RULES
    body: bytes | None = None
    wanted: Wanted = NOTHING_ELSE

    @property
    def etag(self) -> str | None:
        """The validator to send, if there is one of this very URL."""
        return self._known.etag if self._known else None

    @property
    def last_modified(self) -> str | None:
        """The date to send, if there is one of this very URL."""
        return self._known.last_modified if self._known else None

    @property
    def _known(self) -> Validators | None:
        known = self.validators
        return known if known and known.url == self.url.text else None

    @property
    def is_conditional(self) -> bool:
        """Whether "not modified" would be an answer."""
        return self.etag is not None or self.last_modified is not None

    def redirected(self, location: str, others: Collection[str] = ()) -> "UpstreamRequest":
        """The same request where the upstream sent us; SourceRefused when we do not go there.

        One of the `others` we may go to is sent nothing that is meant for this host.
        """
        url = self.url.leads_to(location, others) if location else None
        if url is None:
            raise SourceRefused(
                f"{self.url.place} sends us to another place, where we do not follow; if it has"
                " moved, change its address; if it always sends us there, name that host in"
                " CATCHMENT_FOLLOW_HOSTS",
                code="redirect_refused",
            )
        if self.url.is_same_host(url):
            return msgspec.structs.replace(self, url=url)
        return UpstreamRequest(url, harmless(self.headers), self.validators, wanted=self.wanted)


def harmless(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return those headers that any host may see."""
    return {name: value for name, value in headers.items() if name.lower() == "accept"}


class UpstreamResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A body, decoded, with what the upstream says about it; `url` is where it was found.

    `headers` holds `link`, `cache-control` and what was wanted, where present. An answer is
    `bounded` when it said where it ends, so that it cannot have been cut short unnoticed.
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
    """What we have is still what the upstream has; `headers` are as those of a response."""

    url: str
    headers: Mapping[str, str] = {}


class RawResponse(msgspec.Struct, frozen=True):
    """One reply as it came, with its body unpacked; header names are lower case."""

    status: int
    headers: Mapping[str, tuple[str, ...]]
    body: bytes = b""

    def kept_headers(self, wanted: Wanted) -> Mapping[str, str]:
        """Return the headers that an asker may need."""
        names = (*_KEPT_HEADERS, *wanted.headers)
        return {name: self.header(name) for name in names if name in self.headers}

    @property
    def _is_bounded(self) -> bool:
        encoding = self.header("content-encoding")
        return not _BOUNDS.isdisjoint(self.headers) or is_packed(encoding, "")

    def header(self, name: str) -> str:
        """The values of a header, joined by commas, or an empty text."""
        return ", ".join(self.headers.get(name, ()))

    def fresh_until(self, now: datetime) -> datetime | None:
        """Until when the upstream says that this reply will do; None when it does not say."""
        fresh = fresh_s(self.headers)
        return None if fresh is None else now + timedelta(seconds=fresh)

    def answer(self, request: UpstreamRequest, now: datetime) -> UpstreamResponse:
        """Return what the asker gets to see of a good reply."""
        return UpstreamResponse(
            url=request.url.text,
            status=self.status,
            body=self.body,
            received_at=now,
            content_type=self.header("content-type"),
            etag=_kept_etag(self.header("etag")),
            last_modified=_kept_last_modified(self.header("last-modified"), now),
            headers=self.kept_headers(request.wanted),
            bounded=self._is_bounded,
        )


# ---------------------------------------------------------------- which replies are of use


def judge(reply: RawResponse, request: UpstreamRequest, now: datetime) -> None:
    """Raise an error unless a reply is of use: a body, a redirect, or the 304 that was asked for.

    To a POST only a status is: what was sent has arrived. RetryableError for what may pass;
    SourceUnavailable, SourceRefused or UnexpectedContent.
    """
    if reply.status in request.wanted.statuses:
        return
    if reply.status >= 400:
        _judge_failure(reply, request, now)
    elif request.body is None:
        _judge_get(reply, request.url, request.is_conditional)
    else:
        _judge_post(reply, request.url)


def _judge_get(reply: RawResponse, url: Url, conditional: bool) -> None:
    status = reply.status
    if status in _GOOD:
        if not reply.body:
            raise UnexpectedContent(f"{url.place} answered nothing at all", code="empty")
    elif status == NOT_MODIFIED:
        if not conditional:
            raise UnexpectedContent(f"{url.place} answered 304, though nothing was known of it")
    elif status in (204, 205):
        raise UnexpectedContent(f"{url.place} answered nothing at all", code="empty")
    elif status not in REDIRECTS:
        raise UnexpectedContent(f"{url.place} answered {_phrase(status)}, which holds no records")


def _judge_post(reply: RawResponse, url: Url) -> None:
    if not 200 <= reply.status < 300:
        raise SourceRefused(
            f"{url.place} answered {_phrase(reply.status)}, which says nothing of an arrival;"
            " if it has moved, change its address"
        )


def _judge_failure(reply: RawResponse, request: UpstreamRequest, now: datetime) -> None:
    said = f"{request.url.place} answered {_phrase(reply.status)}"
    block_s = wait_s(reply.headers, now)
    if _is_limit(reply, block_s):
        # A host that forbids us to go on means it; one that only asks us to slow down is tried.
        silent_s = request.rules.limited_for_s
        if reply.status == FORBIDDEN:
            silent_s = silent_s or _FORBIDDEN_FOR_S
        block_s = block_s or silent_s or block_s
        raise RetryableError(
            SourceBlocked(
                f"{said}: we ask more often than it allows", retry_at=_after(now, block_s)
            ),
            block_s=block_s,
            least_s=_LEAST_WHEN_LIMITED_S,
        )
    retry_at = _after(now, block_s)
    if reply.status in _PASSING:
        raise RetryableError(SourceUnavailable(said, retry_at=retry_at), block_s=block_s)
    if reply.status >= 500:
        raise SourceUnavailable(said, retry_at=retry_at)
    if reply.status == 401 and request.rules.refused_for_s:
        raise HostRefused(
            f"{said}: it does not accept who asks, whatever is asked; check the token",
            retry_at=_after(now, request.rules.refused_for_s),
        )
    refused = Absent if reply.status in _ABSENT else SourceRefused
    raise refused(f"{said}; check its address and whether we may read it")


def _is_limit(reply: RawResponse, block_s: float | None) -> bool:
    if reply.status != FORBIDDEN:
        return reply.status == 429
    return bool(is_used_up(reply.headers) or block_s or says_limited(reply.body))


def _after(now: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


# ---------------------------------------------------------------- what is kept of a reply


def _kept_etag(text: str) -> str | None:
    sound = text.isascii() and text.isprintable() and 0 < len(text) <= _LONGEST_ETAG
    return text if sound else None


def _kept_last_modified(text: str, now: datetime) -> str | None:
    moment = http_date(text)
    return None if moment is None or moment > now else text
