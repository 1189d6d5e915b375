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

#: Every code a problem may have, with its status and its meaning.
PROBLEM_CODES: Mapping[str, tuple[int, str]] = {
    "access_denied": (403, "You may not do this."),
    "address_refused": (502, "The upstream's name leads to an address we do not go to."),
    "auth_refused": (502, "A secret would have been sent where it can be read on the way."),
    "bad_encoding": (502, "The upstream's compressed answer cannot be unpacked."),
    "body_too_large": (413, "The body is larger than a body may be."),
    "body_too_slow": (408, "The body did not arrive in time; send it faster or not at all."),
    "cross_site": (403, "A page of another site sent this, and its origin is not allowed to."),
    "dataset_busy": (
        409,
        "A fetch of the dataset waits for its source; call it off, or try again when it has run.",
    ),
    "dataset_removed": (502, "The dataset was removed while its fetch waited."),
    "draining": (503, "This process is about to stop, and another one can be asked."),
    "empty": (502, "The upstream answered with nothing, which is never taken for 'no records'."),
    "fetch_cancelled": (
        409,
        "The fetch was called off before it had ended; what its sources had given by then is kept.",
    ),
    "forbidden": (403, "You are known, and your role does not allow this."),
    "gave_up": (503, "No worker survived this job, however often it was tried."),
    "head_too_slow": (408, "The headers did not arrive in time; send them at once."),
    "headers_too_large": (
        431,
        "All request headers together are too large, or the trailers behind a body.",
    ),
    "held": (
        502,
        "So many records could not be read that nothing was merged; the old data stays and the"
        " rejected records wait in quarantine.",
    ),
    "illegal_transition": (409, "The job has ended, so it cannot be called off any more."),
    "incomplete": (502, "The upstream's answer was cut short; nothing of it was applied."),
    "insufficient_scope": (403, "The API token is not made for this; its scope says for what."),
    "internal_error": (500, "Something went wrong here; the log has the reason."),
    "invalid_cursor": (
        400,
        "The cursor is not ours or belongs to another question; start from the first page.",
    ),
    "invalid_value": (422, "A value does not parse as the type of its field or parameter."),
    "invalid_token": (401, "The token is not ours, has run out or was ended; log in again."),
    "key_in_use": (
        409,
        "The first request with this Idempotency-Key has no answer yet; see Retry-After.",
    ),
    "key_reused": (
        422,
        "This Idempotency-Key came with another request before; each request needs its own.",
    ),
    "lease_lost": (503, "Another worker took the fetch over; ask again."),
    "login_required": (401, "This needs somebody who is logged in."),
    "malformed_query": (400, "The query has too much, or something twice."),
    "malformed_request": (400, "The request cannot be understood."),
    "more_pages": (502, "The upstream has more than the one page that its declaration expects."),
    "method_not_allowed": (405, "The path does not take that method; see Allow."),
    "name_taken": (409, "Somebody else has that username."),
    "no_sources": (409, "Every source of the dataset is switched off; reads go on."),
    "not_acceptable": (406, "None of the accepted media types is offered."),
    "not_found": (404, "There is nothing at this path."),
    "page_ignored": (502, "The upstream gave its first page again in place of another one."),
    "page_too_large": (
        422,
        "The records of a page with `offset` take more than 8 MiB; ask for fewer, or follow"
        " next_cursor.",
    ),
    "pagination_loop": (502, "The upstream's pages lead round in circles."),
    "password_required": (
        403,
        "The login is more than ten minutes ago: send the current password, or log in again.",
    ),
    "protocol_error": (502, "The upstream does not speak HTTP as it should."),
    "query_too_slow": (
        503,
        "The query needed more time than a query gets; filter or sort by an indexed field.",
    ),
    "redirect_refused": (502, "The upstream redirected to where we do not go."),
    "secret_missing": (502, "A secret of the source is missing where its reference says it is."),
    "signup_closed": (
        403,
        "Only admins make accounts here, or there are as many as there may be; ask an admin.",
    ),
    "source_blocked": (503, "A rate limit, ours or the upstream's; see Retry-After."),
    "source_failed": (502, "A source gave nothing usable."),
    "source_refused": (502, "The upstream understood the request and said no."),
    "source_timed_out": (504, "The upstream did not finish before the deadline."),
    "source_unavailable": (
        503,
        "The upstream cannot be reached or fails, or we leave it alone for a while.",
    ),
    "stale_version": (
        412,
        "What is to be changed has changed since it was read; read it again, then change it.",
    ),
    "store_full": (507, "There is no room left to write; reads go on."),
    "store_unavailable": (503, "The database cannot be reached; try again shortly."),
    "tls_error": (502, "The upstream's certificate or encryption cannot be trusted."),
    "too_deep": (502, "The upstream's answer is nested too deeply."),
    "too_large": (502, "The upstream's answer is larger than an answer may be."),
    "too_many_pages": (502, "The upstream has more pages than one fetch may ask for."),
    "too_many_records": (502, "The upstream's answer has more records than one body may have."),
    "too_many_rejections": (502, "More records cannot be read than can be put aside."),
    "too_many_requests": (
        429,
        "One client asks more than it may, or has tried too many passwords; see Retry-After.",
    ),
    "too_many_tasks": (409, "There are as many tasks as there may be; delete some first."),
    "too_many_waiting": (
        429,
        "The client already waits for too many fetches, or all clients for too many logins.",
    ),
    "unexpected_content": (502, "The upstream answered something that is not its records."),
    "unknown_charset": (502, "The upstream's text is in a charset that is not decoded here."),
    "unknown_dataset": (404, "No dataset has that name; GET /datasets lists them."),
    "unknown_job": (404, "There is no such job."),
    "unknown_host": (400, "The Host header names a host this service does not answer for."),
    "unknown_parameter": (400, "There is no such parameter, operator, field or sort field."),
    "unknown_record": (404, "No record you may see has that key, or none waits in quarantine."),
    "unknown_session": (404, "No open session of that user has that identifier."),
    "unknown_token": (404, "That user has no API token of that identifier."),
    "unknown_user": (404, "Nobody has that username."),
    "unsupported_media_type": (415, "The body is not plain application/json."),
    "unsupported_encoding": (502, "The upstream compresses in a way we did not ask for."),
    "upgrade_refused": (426, "Only plain HTTP/1.1 is spoken."),
    "url_refused": (502, "A source's URL cannot be used."),
    "url_too_long": (414, "The URL is too long."),
    "wrong_charset": (502, "The upstream's bytes are neither UTF-8 nor what they are labelled."),
    "wrong_credentials": (
        401,
        "The username or the password is wrong, or the account is disabled.",
    ),
}


MEDIA_TYPE = "application/problem+json"
#: The methods of what can only be read.
READ_ONLY = "GET, HEAD, OPTIONS"
READING = frozenset({"GET", "HEAD"})
#: Where the codes are explained.
DOCUMENTED_AT = "/docs/problems#"
#: So much of what the caller sent is repeated to him at the most.
ECHO = 200

#: Seconds to wait before trying again, where nothing better is known.
_RETRY_AFTER_S: Mapping[HTTPStatus, int] = {
    HTTPStatus.SERVICE_UNAVAILABLE: 5,
    HTTPStatus.TOO_MANY_REQUESTS: 1,
}

#: What is said with an error besides.
_HEADERS: Mapping[str, Mapping[str, str]] = {
    "login_required": {"WWW-Authenticate": "Bearer"},
    "wrong_credentials": {"WWW-Authenticate": "Bearer"},
    "insufficient_scope": {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    "invalid_token": {"WWW-Authenticate": 'Bearer error="invalid_token"'},
    "key_in_use": {"Retry-After": "1"},
}

#: What a fetch may answer whose sources all failed; trying again helps most after the last.
_FAILED = (500, 502, 504, 503)
_OTHER_FAILURE = (HTTPStatus.BAD_GATEWAY, "")


class Detail(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong, and where."""

    detail: str
    parameter: str | None = None
    pointer: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as users read it; `code` is stable, `type` a reference to its documentation."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[Detail] | msgspec.UnsetType = msgspec.UNSET
    report: Any = msgspec.UNSET


class Refusal(errors.CatchmentError):
    """An error that only HTTP knows: a wrong method, a body that is too large."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = headers or {}


def refuse_writing(method: str, what: str) -> None:
    """Raise a Refusal unless the method only reads."""
    if method not in READING:
        raise Refusal("method_not_allowed", f"{what} can only be read", {"Allow": READ_ONLY})


class Reply(msgspec.Struct, frozen=True):
    """A whole answer, ready to be sent; `lines` are headers as they go over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    lines: tuple[tuple[bytes, bytes], ...] = ()


def reply_to(error: BaseException, request_id: str) -> Reply:
    """Return the problem of an error; of an unexpected one it says nothing but 500."""
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
    """Return the status an error answers with; None for an unexpected one, which is to be logged.

    A source's error belongs to the report of its fetch, which has an answer of its own.
    """
    if not isinstance(error, errors.CatchmentError) or isinstance(error, errors.SourceError):
        return None
    known = error.code in PROBLEM_CODES and error.code != errors.CatchmentError.code
    return _status(error.code) if known else None


def reply_to_failures(
    failures: Iterable[Failure], report: Any, request_id: str, now: datetime
) -> Reply:
    """Return the problem of a fetch in which every source failed; it carries the report."""
    failures = list(failures)
    # The most hopeful one: when one of several may answer soon, trying again makes sense.
    failure = max(failures, key=lambda failure: _FAILED.index(_status(failure.code)))
    times = [failure.retry_at for failure in failures if failure.retry_at is not None]
    headers = {}
    if _status(failure.code) is HTTPStatus.SERVICE_UNAVAILABLE and times:
        headers["Retry-After"] = seconds_until(min(times), now)
    return reply(failure.code, failure.detail, request_id, headers=headers, report=report)


def seconds_until(time: datetime, now: datetime) -> str:
    """Return how long to wait until a time, as Retry-After has it: at least a second."""
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
    """Return a problem with this code, which decides on the status."""
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
