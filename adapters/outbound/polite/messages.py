"""Messages: requests to upstreams and their responses, and which responses are accepted."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType

import msgspec

from adapters.outbound.polite.bodies import is_packed, mentions_limit
from adapters.outbound.polite.failures import Absent, HostRefused, RetryableError, Unauthorized
from adapters.outbound.polite.headers import fresh_s, http_date
from adapters.outbound.polite.rate_headers import is_used_up, wait_s
from adapters.outbound.polite.urls import Url, without_secrets
from domain.errors import SourceBlocked, SourceRefused, SourceUnavailable, UnexpectedContent
from domain.payloads import Payload

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOT_MODIFIED = 304
#: The body may show that it is a rate limit.
FORBIDDEN = 403
_GOOD = frozenset({200, 203})
_PASSING = frozenset({408, 425, 500, 502, 503, 504})
_ABSENT = frozenset({404, 410, 451})
_LEAST_WHEN_LIMITED_S = 1.0
#: The block of a host that answers 403 at a rate limit, without a time.
_FORBIDDEN_FOR_S = 60.0
_LONGEST_ETAG = 512
_KEPT_HEADERS = ("link", "cache-control")
#: Headers that mark the end of a body; a gzip body marks its own end.
_BOUNDS = frozenset({"content-length", "transfer-encoding"})


class Validators(msgspec.Struct, frozen=True):
    """The validators of the known version of a URL; invalid for any other URL."""

    url: str
    etag: str | None = None
    last_modified: str | None = None


class HostRules(msgspec.Struct, frozen=True):
    """The rules of a host that are in its documentation, not in its responses.

    `patience_s` limits the wait of one try for the next bytes. `limited_for_s` is the block after
    a rate limit without a time, `refused_for_s` that after a 401, which otherwise is about one URL.
    """

    patience_s: float | None = None
    limited_for_s: float | None = None
    refused_for_s: float | None = None


NO_RULES = HostRules()


class Wanted(msgspec.Struct, frozen=True):
    """The additional parts of a response that the caller needs.

    `headers` are names in lower case, None for all; a response with one of the `statuses` is not
    a failure.
    """

    headers: Collection[str] | None = frozenset()
    statuses: Collection[int] = frozenset()


NOTHING_ELSE = Wanted()


class Signature(msgspec.Struct, frozen=True):
    """What shows an upstream who asks: headers and parameters with secrets."""

    headers: Mapping[str, str] = {}
    params: Mapping[str, str] = {}


#: Resolves secrets when a request is sent, so that they exist nowhere else.
Sign = Callable[[], Signature]


class UpstreamRequest(msgspec.Struct, frozen=True):
    """A request: a GET, possibly conditional, or a POST of a JSON body.

    `headers` may contain a secret for this host only; `rules` are those of the host. `sign`
    gives what else only this host may see. The response to a `form`, a POST for a token, is read
    as one to a GET.
    """

    url: Url
    headers: Mapping[str, str] = NO_HEADERS
    validators: Validators | None = None
    rules: HostRules = NO_RULES
    body: bytes | None = None
    wanted: Wanted = NOTHING_ELSE
    sign: Sign | None = None
    form: bool = False

    @property
    def etag(self) -> str | None:
        """Return the ETag to send, if one is known for this URL."""
        return self._known.etag if self._known else None

    @property
    def last_modified(self) -> str | None:
        """Return the date to send, if one is known for this URL."""
        return self._known.last_modified if self._known else None

    @property
    def _known(self) -> Validators | None:
        known = self.validators
        return known if known and known.url in (self.url.text, self.url.kept) else None

    @property
    def is_conditional(self) -> bool:
        """Return whether the request is conditional."""
        return self.etag is not None or self.last_modified is not None

    def redirected(self, location: str, others: Collection[str] = ()) -> "UpstreamRequest":
        """Return the request after a redirect; raise SourceRefused if it may not be followed.

        Redirects to `others` are allowed, too, without the headers for this host.
        """
        url = self.url.leads_to(location, others) if location else None
        if url is None:
            raise SourceRefused(
                f"{self.url.label} redirects to another host, which is not followed; if it has"
                " moved, change its address; if it always redirects there, name that host in"
                " CATCHMENT_FOLLOW_HOSTS",
                code="redirect_refused",
            )
        if self.url.is_same_host(url):
            # It may echo what the request was signed with.
            secret = self.sign().params if self.sign else ()
            return msgspec.structs.replace(self, url=url.without_params(secret))
        return UpstreamRequest(url, harmless(self.headers), self.validators, wanted=self.wanted)


def harmless(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers that any host may see."""
    return {name: value for name, value in headers.items() if name.lower() == "accept"}


class UpstreamResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A response with its decoded body; `url` is that after redirects.

    `headers` has `link`, `cache-control` and the wanted ones, if present. A response is `bounded`
    if it declares its end, so that truncation is always noticed.
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
        """Return the response as one page of a source."""
        return Payload(
            url=without_secrets(self.url),
            body=self.body,
            content_type=self.content_type,
            received_at=self.received_at,
            page=page,
            etag=self.etag,
            last_modified=self.last_modified,
        )


class NotModified(msgspec.Struct, frozen=True):
    """A "not modified" response; `headers` are as those of UpstreamResponse."""

    url: str
    headers: Mapping[str, str] = {}


class RawResponse(msgspec.Struct, frozen=True):
    """One response as received, with its body unpacked; header names are in lower case."""

    status: int
    headers: Mapping[str, tuple[str, ...]]
    body: bytes = b""

    def kept_headers(self, wanted: Wanted) -> Mapping[str, str]:
        """Return the headers that callers may need."""
        names = self.headers if wanted.headers is None else (*_KEPT_HEADERS, *wanted.headers)
        return {name: self.header(name) for name in names if name in self.headers}

    @property
    def _is_bounded(self) -> bool:
        encoding = self.header("content-encoding")
        return not _BOUNDS.isdisjoint(self.headers) or is_packed(encoding, "")

    def header(self, name: str) -> str:
        """Return the values of a header, joined by commas; an empty text without any."""
        return ", ".join(self.headers.get(name, ()))

    def fresh_until(self, now: datetime) -> datetime | None:
        """Return until when the response is declared fresh; None if it is not."""
        fresh = fresh_s(self.headers)
        return None if fresh is None else now + timedelta(seconds=fresh)

    def answer(self, request: UpstreamRequest, now: datetime) -> UpstreamResponse:
        """Return the response for the caller."""
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


# ---------------------------------------------------------------- accepted responses


def judge(reply: RawResponse, request: UpstreamRequest, now: datetime) -> None:
    """Raise an error unless a response is usable: a body, a redirect, or an expected 304.

    For a POST only the status counts. Raise RetryableError for a temporary failure; otherwise
    SourceUnavailable, SourceRefused or UnexpectedContent.
    """
    if reply.status in request.wanted.statuses:
        return
    if reply.status >= 400:
        _judge_failure(reply, request, now)
    elif request.body is None or request.form:
        _judge_get(reply, request.url, request.is_conditional)
    else:
        _judge_post(reply, request.url)


def _judge_get(reply: RawResponse, url: Url, conditional: bool) -> None:
    status = reply.status
    if status in _GOOD:
        if not reply.body:
            raise UnexpectedContent(f"{url.label} answered with an empty body", code="empty")
    elif status == NOT_MODIFIED:
        if not conditional:
            raise UnexpectedContent(f"{url.label} answered 304 to an unconditional request")
    elif status in (204, 205):
        raise UnexpectedContent(f"{url.label} answered with an empty body", code="empty")
    elif status not in REDIRECTS:
        raise UnexpectedContent(f"{url.label} answered {_phrase(status)}, which has no records")


def _judge_post(reply: RawResponse, url: Url) -> None:
    if not 200 <= reply.status < 300:
        raise SourceRefused(
            f"{url.label} answered {_phrase(reply.status)}, which does not confirm the delivery;"
            " if it has moved, change its address"
        )


def _judge_failure(reply: RawResponse, request: UpstreamRequest, now: datetime) -> None:
    problem = f"{request.url.label} answered {_phrase(reply.status)}"
    block_s = wait_s(reply.headers, now)
    if _is_limit(reply, block_s):
        # A 403 without a time blocks the host; a 429 without a time is retried.
        silent_s = request.rules.limited_for_s
        if reply.status == FORBIDDEN:
            silent_s = silent_s or _FORBIDDEN_FOR_S
        block_s = block_s or silent_s or block_s
        raise RetryableError(
            SourceBlocked(
                f"{problem}: we send more requests than it allows", retry_at=_after(now, block_s)
            ),
            block_s=block_s,
            least_s=_LEAST_WHEN_LIMITED_S,
        )
    retry_at = _after(now, block_s)
    if reply.status in _PASSING:
        raise RetryableError(SourceUnavailable(problem, retry_at=retry_at), block_s=block_s)
    if reply.status >= 500:
        raise SourceUnavailable(problem, retry_at=retry_at)
    if reply.status == 401 and request.rules.refused_for_s:
        raise HostRefused(
            f"{problem}: it refuses every request of this caller; check the token",
            retry_at=_after(now, request.rules.refused_for_s),
        )
    refused: type[SourceRefused] = Absent if reply.status in _ABSENT else SourceRefused
    if reply.status == 401:
        refused = Unauthorized
    raise refused(f"{problem}; check its address and whether we may read it")


def _is_limit(reply: RawResponse, block_s: float | None) -> bool:
    if reply.status != FORBIDDEN:
        return reply.status == 429
    return bool(is_used_up(reply.headers) or block_s or mentions_limit(reply.body))


def _after(now: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


# ---------------------------------------------------------------- stored validators


def _kept_etag(text: str) -> str | None:
    sound = text.isascii() and text.isprintable() and 0 < len(text) <= _LONGEST_ETAG
    return text if sound else None


def _kept_last_modified(text: str, now: datetime) -> str | None:
    time = http_date(text)
    return None if time is None or time > now else text
