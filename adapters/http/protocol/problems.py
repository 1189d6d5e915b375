"""Problems: every error as `application/problem+json` (RFC 9457), and the table of their codes."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from adapters.http.protocol.links import link_to
from domain import errors
from domain.reports import Failure

#: Every problem code with its status and meaning.
PROBLEM_CODES: Mapping[str, tuple[int, str]] = {
    "access_denied": (403, "The caller may not do this."),
    "address_refused": (502, "The name resolves to a private address that is not in the settings."),
    "auth_refused": (
        502,
        "A secret would have been sent unencrypted to a host that is not allowed as private.",
    ),
    "bad_encoding": (502, "The response is declared as compressed and cannot be decompressed."),
    "body_too_large": (413, "The body exceeds the size limit."),
    "body_too_slow": (408, "The body did not arrive in time."),
    "cross_site": (
        403,
        "A page of another site sent this, and CATCHMENT_CORS_ORIGINS does not allow its origin.",
    ),
    "damaged_payload": (
        500,
        "A stored payload is no longer what was received, so it was left out; the report names its"
        " receipt.",
    ),
    "dataset_busy": (
        409,
        "A fetch of the dataset waits for its source; cancel it, or retry when it has run.",
    ),
    "dataset_removed": (502, "The dataset was removed while its fetch waited."),
    "draining": (503, "This process is stopping; retry with another one."),
    "empty": (502, "The response is empty, which is never read as 'no records'."),
    "fetch_cancelled": (
        409,
        "The fetch was cancelled before its end; what was merged before is kept.",
    ),
    "forbidden": (403, "The caller's role does not allow this."),
    "gave_up": (503, "The job was tried five times, and its worker died every time."),
    "head_too_slow": (408, "The headers did not arrive in time."),
    "headers_too_large": (
        431,
        "The request headers are too many or too large, or the trailers behind a body are too"
        " large.",
    ),
    "held": (
        502,
        "Too many records were rejected, so nothing was merged: at least 20, and more than a"
        " fifth.",
    ),
    "illegal_transition": (409, "The job has ended, so it cannot be cancelled."),
    "incomplete": (502, "The response was truncated; nothing of it was merged."),
    "insufficient_scope": (403, "The scope of the API token does not allow this."),
    "internal_error": (500, "An unexpected error; the log has the reason."),
    "invalid_cursor": (
        400,
        "The cursor is invalid, or belongs to another query; start from the first page.",
    ),
    "invalid_value": (422, "A value does not parse as the type of its field or parameter."),
    "invalid_token": (401, "The token is invalid, expired or revoked; log in again."),
    "key_in_use": (409, "The first request with this Idempotency-Key has not been answered yet."),
    "key_not_unique": (
        502,
        "Too many records repeat the key of another record of the same page with different"
        " values, so nothing was merged: at least two, and more than 1 % of all.",
    ),
    "key_reused": (
        422,
        "This Idempotency-Key was used for another request; each request needs its own.",
    ),
    "lease_lost": (503, "Another worker took the fetch over; retry."),
    "login_required": (401, "The route needs a logged-in user; log in, or send an API token."),
    "malformed_query": (
        400,
        "The query is too long, repeats a parameter, or combines parameters that exclude each"
        " other.",
    ),
    "malformed_request": (400, "The request is malformed."),
    "more_pages": (
        502,
        "A response that was to hold everything has a next page, or announces more records: say"
        " how its pages are walked.",
    ),
    "method_not_allowed": (405, "The path does not support the method; see Allow."),
    "name_taken": (409, "The username is taken."),
    "no_sources": (
        409,
        "Every source of the dataset is switched off; stored records are still served.",
    ),
    "not_acceptable": (406, "None of the accepted media types is available."),
    "not_found": (404, "The path does not exist."),
    "page_ignored": (
        502,
        "The upstream answered with its first page again: it ignores the parameter that asks"
        " for a page.",
    ),
    "page_too_large": (
        422,
        "The records of a page with `offset` take more than 8 MiB; ask for fewer, or follow"
        " next_cursor.",
    ),
    "pagination_loop": (
        502,
        "A page links to an earlier page, or holds only records of earlier pages.",
    ),
    "password_required": (
        403,
        "The login was more than ten minutes ago: send current_password, or log in again.",
    ),
    "protocol_error": (
        502,
        "The upstream closed the connection, or its response is not valid HTTP.",
    ),
    "query_too_slow": (
        503,
        "The query exceeded its time limit; filter or sort by an indexed field.",
    ),
    "redirect_refused": (
        502,
        "The upstream redirected to another host that CATCHMENT_FOLLOW_HOSTS does not name,"
        " from https to http, or too often.",
    ),
    "secret_missing": (502, "A secret of the source is missing where its reference says it is."),
    "signup_closed": (
        403,
        "Only admins make accounts here, or there are as many as there may be; ask an admin.",
    ),
    "source_blocked": (
        503,
        "A rate limit, ours or the upstream's, is reached, or the host has refused us and is"
        " blocked for a while.",
    ),
    "source_failed": (502, "The source returned nothing usable."),
    "source_refused": (
        502,
        "The upstream rejected the request; with a retry_at, every request of ours.",
    ),
    "source_timed_out": (
        504,
        "The upstream did not finish before the deadline, or has more pages than our limit for"
        " it admits until then.",
    ),
    "source_unavailable": (
        503,
        "The upstream is unreachable or failing, or its circuit breaker is open.",
    ),
    "stale_version": (
        412,
        "The version in If-Match is not the current one; read the task again, then change it.",
    ),
    "store_full": (507, "The disk is full, so nothing can be written; reads still work."),
    "store_unavailable": (503, "The database is unavailable; retry shortly."),
    "tls_error": (502, "The upstream's certificate or TLS version is not trusted."),
    "too_deep": (502, "The response exceeds the depth limit."),
    "too_large": (502, "The response exceeds the size limit."),
    "too_many_pages": (502, "The upstream has more pages than the limit."),
    "too_many_records": (502, "The response has more records than one body may have."),
    "too_many_rejections": (502, "Too many records of one body were rejected, so reading stopped."),
    "too_many_requests": (
        429,
        "The client has exceeded its rate limit, or too many wrong passwords were tried.",
    ),
    "too_many_tasks": (
        409,
        "There are CATCHMENT_MAX_TASKS tasks, and no more can be created; delete some first.",
    ),
    "too_many_waiting": (
        429,
        "The client already waits for too many fetches, or all clients together for too many"
        " logins.",
    ),
    "unexpected_content": (502, "The response does not contain the source's records."),
    "unknown_charset": (502, "The response's text is in a charset that is not decoded."),
    "unknown_dataset": (404, "No dataset has that name; GET /datasets lists them."),
    "unknown_job": (404, "No job has that identifier."),
    "unknown_host": (
        400,
        "The Host header is not in CATCHMENT_ALLOWED_HOSTS, or, for a service that listens on"
        " loopback without it, not a name of loopback.",
    ),
    "unknown_parameter": (400, "Unknown parameter, operator, field or sort field."),
    "unknown_record": (
        404,
        "No record with this key or identifier exists, or the caller may not see it.",
    ),
    "unknown_session": (404, "The user has no open session with that identifier."),
    "unknown_token": (404, "The user has no API token with that identifier."),
    "unknown_user": (404, "No user has that name."),
    "unsupported_media_type": (
        415,
        "The media type of the body is not supported; send application/json.",
    ),
    "unsupported_encoding": (502, "The response has a content encoding that was not requested."),
    "upgrade_refused": (426, "Only HTTP/1.1 without upgrades is supported."),
    "url_refused": (502, "The source's URL is not a plain http or https URL."),
    "url_too_long": (414, "The URL exceeds the size limit."),
    "wrong_charset": (
        502,
        "The response's bytes are neither UTF-8 nor in the charset of its label.",
    ),
    "wrong_credentials": (
        401,
        "The username or the password is wrong, or the account is disabled.",
    ),
}


MEDIA_TYPE = "application/problem+json"
#: The methods of read-only paths.
READ_ONLY = "GET, HEAD, OPTIONS"
READING = frozenset({"GET", "HEAD"})
#: The page that explains the codes.
DOCUMENTED_AT = "/docs/problems#"
#: The limit of text from the request that is repeated in a problem.
ECHO = 200

#: The default of Retry-After in seconds.
_RETRY_AFTER_S: Mapping[HTTPStatus, int] = {
    HTTPStatus.SERVICE_UNAVAILABLE: 5,
    HTTPStatus.TOO_MANY_REQUESTS: 1,
}

#: Headers of problems, by code.
_HEADERS: Mapping[str, Mapping[str, str]] = {
    "login_required": {"WWW-Authenticate": "Bearer"},
    "wrong_credentials": {"WWW-Authenticate": "Bearer"},
    "insufficient_scope": {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    "invalid_token": {"WWW-Authenticate": 'Bearer error="invalid_token"'},
    "key_in_use": {"Retry-After": "1"},
}

#: The statuses of a fetch whose sources all failed; a retry is most useful after the last.
_FAILED = (500, 502, 504, 503)
_OTHER_FAILURE = (HTTPStatus.BAD_GATEWAY, "")


class Detail(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault of a request: what, and where."""

    detail: str
    parameter: str | None = None
    pointer: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error; `code` is stable, and `type` links to its explanation."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[Detail] | msgspec.UnsetType = msgspec.UNSET
    report: Any = msgspec.UNSET


class Refusal(errors.CatchmentError):
    """An error of HTTP alone, such as a wrong method or a body that is too large."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = headers or {}


def refuse_writing(method: str, what: str) -> None:
    """Raise Refusal unless the method only reads."""
    if method not in READING:
        raise Refusal("method_not_allowed", f"{what} can only be read", {"Allow": READ_ONLY})


class Reply(msgspec.Struct, frozen=True):
    """A whole answer; `lines` are headers as they are sent."""

    status: int
    headers: dict[str, str]
    body: bytes
    lines: tuple[tuple[bytes, bytes], ...] = ()


def reply_to(error: BaseException, request_id: str) -> Reply:
    """Return the problem of an error; a 500 without details for an unexpected one."""
    if not isinstance(error, errors.CatchmentError) or status_of(error) is None:
        detail = "something went wrong here; the log has the reason under this request_id"
        return reply("internal_error", detail, request_id)
    found: list[Detail] = []
    if isinstance(error, errors.InvalidQuery) and error.parameter:
        found = [Detail(error.detail, parameter=error.parameter[:ECHO])]
    if isinstance(error, errors.InvalidInput):
        found = [Detail(error.detail, pointer=error.pointer[:ECHO])]
    headers = dict(_HEADERS.get(error.code, {}))
    if isinstance(error, errors.TooManyRequests):
        headers["Retry-After"] = str(max(1, math.ceil(error.wait_s)))
    if isinstance(error, Refusal):
        headers |= error.headers
    return reply(error.code, error.detail, request_id, found=found, headers=headers)


def status_of(error: BaseException) -> HTTPStatus | None:
    """Return the status of an error's problem; None for an unexpected error, to be logged.

    Errors of sources belong to the report of a fetch, which has its own answer.
    """
    if not isinstance(error, errors.CatchmentError) or isinstance(error, errors.SourceError):
        return None
    known = error.code in PROBLEM_CODES and error.code != errors.CatchmentError.code
    return _status(error.code) if known else None


def reply_to_failures(
    failures: Iterable[Failure], report: Any, request_id: str, now: datetime
) -> Reply:
    """Return the problem of a fetch in which every source failed, with its report."""
    failures = list(failures)
    # If one of several sources may recover soon, a retry makes sense.
    failure = max(failures, key=lambda failure: _FAILED.index(_status(failure.code)))
    times = [failure.retry_at for failure in failures if failure.retry_at is not None]
    headers = {}
    if _status(failure.code) is HTTPStatus.SERVICE_UNAVAILABLE and times:
        headers["Retry-After"] = seconds_until(min(times), now)
    return reply(failure.code, failure.detail, request_id, headers=headers, report=report)


def seconds_until(time: datetime, now: datetime) -> str:
    """Return the Retry-After until a time: at least a second."""
    return str(max(1, math.ceil((time - now).total_seconds())))


def reply(
    code: str,
    detail: str,
    request_id: str,
    *,
    found: list[Detail] | None = None,
    headers: Mapping[str, str] | None = None,
    report: Any = msgspec.UNSET,
) -> Reply:
    """Return a problem with this code, and the status of the code."""
    status = _status(code)
    problem = Problem(
        type=link_to(DOCUMENTED_AT + code),
        title=status.phrase,
        status=int(status),
        detail=detail,
        code=code,
        request_id=request_id,
        errors=found or msgspec.UNSET,
        report=report,
    )
    sent = {"Content-Type": MEDIA_TYPE, **(headers or {})}
    if status in _RETRY_AFTER_S:
        sent.setdefault("Retry-After", str(_RETRY_AFTER_S[status]))
    return Reply(int(status), sent, msgspec.json.encode(problem))


def _status(code: str) -> HTTPStatus:
    return HTTPStatus(PROBLEM_CODES.get(code, _OTHER_FAILURE)[0])
