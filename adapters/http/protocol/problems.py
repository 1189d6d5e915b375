"""Problems: every error as `application/problem+json` (RFC 9457), from one table."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from domain import errors
from domain.reports import Failure

MEDIA_TYPE = "application/problem+json"
#: Where the codes are explained.
DOCUMENTED_AT = "/docs/problems#"
#: So much of what the caller sent is repeated to him at the most.
ECHO = 200

_STATUS: Mapping[type[errors.CatchmentError], HTTPStatus] = {
    errors.UnknownParameter: HTTPStatus.BAD_REQUEST,
    errors.MalformedQuery: HTTPStatus.BAD_REQUEST,
    errors.InvalidValue: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidCursor: HTTPStatus.BAD_REQUEST,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.LoginRequired: HTTPStatus.UNAUTHORIZED,
    errors.WrongCredentials: HTTPStatus.UNAUTHORIZED,
    errors.InvalidToken: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NameTaken: HTTPStatus.CONFLICT,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.NoSources: HTTPStatus.CONFLICT,
    errors.DatasetBusy: HTTPStatus.CONFLICT,
    errors.IllegalTransition: HTTPStatus.CONFLICT,
    errors.StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    errors.KeyInUse: HTTPStatus.CONFLICT,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyWaiting: HTTPStatus.TOO_MANY_REQUESTS,
    errors.LeaseLost: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.QueryTooSlow: HTTPStatus.SERVICE_UNAVAILABLE,
}

#: What a whole fetch that failed answers with, by the code of its failure; 502 for the others.
_FAILURE_STATUS: Mapping[str, HTTPStatus] = {
    errors.SourceUnavailable.code: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SourceBlocked.code: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SourceTimedOut.code: HTTPStatus.GATEWAY_TIMEOUT,
    "gave_up": HTTPStatus.SERVICE_UNAVAILABLE,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
}

#: Seconds to wait before trying again, where nothing better is known.
_RETRY_AFTER_S: Mapping[HTTPStatus, int] = {
    HTTPStatus.SERVICE_UNAVAILABLE: 5,
    HTTPStatus.TOO_MANY_REQUESTS: 1,
}

#: What is said with an error besides.
_HEADERS: Mapping[type[errors.CatchmentError], Mapping[str, str]] = {
    errors.LoginRequired: {"WWW-Authenticate": "Bearer"},
    errors.WrongCredentials: {"WWW-Authenticate": "Bearer"},
    errors.InvalidToken: {"WWW-Authenticate": 'Bearer error="invalid_token"'},
    errors.KeyInUse: {"Retry-After": "1"},
}


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


class Refusal(Exception):
    """An error that only HTTP knows: a wrong method, a body that is too large."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        pointer: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.found = [] if pointer is None else [Detail(detail, pointer=pointer[:ECHO])]


class Reply(msgspec.Struct, frozen=True):
    """A whole answer, ready to be sent; `lines` are headers as they go over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    lines: tuple[tuple[bytes, bytes], ...] = ()


def reply_to(error: BaseException, request_id: str) -> Reply:
    """The problem that tells of an error; anything unexpected becomes a 500 that tells nothing."""
    if isinstance(error, Refusal):
        return reply(
            error.status,
            error.code,
            error.detail,
            request_id,
            found=error.found,
            headers=error.headers,
        )
    status = status_of(error)
    if status is None or not isinstance(error, errors.CatchmentError):
        return reply(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal_error",
            "something went wrong here; the log has the reason under this request_id",
            request_id,
        )
    found: list[Detail] = []
    if isinstance(error, errors.InvalidQuery) and error.parameter:
        found = [Detail(error.detail, parameter=error.parameter[:ECHO])]
    if isinstance(error, errors.InvalidInput):
        found = [Detail(error.detail, pointer=error.pointer[:ECHO])]
    headers = dict(_HEADERS.get(type(error), {}))
    if isinstance(error, errors.TooManyRequests):
        headers["Retry-After"] = str(max(1, math.ceil(error.wait_s)))
    return reply(status, error.code, error.detail, request_id, found=found, headers=headers)


def status_of(error: BaseException) -> HTTPStatus | None:
    """The status an error answers with, if the table knows it."""
    kinds = (_STATUS.get(kind) for kind in type(error).__mro__)
    return next((status for status in kinds if status is not None), None)


def reply_to_failures(
    failures: Iterable[Failure], report: Any, request_id: str, now: datetime
) -> Reply:
    """The problem of a fetch in which every source failed; it carries the report."""
    failures = list(failures)
    statuses = [_FAILURE_STATUS.get(failure.code, HTTPStatus.BAD_GATEWAY) for failure in failures]
    # The most hopeful one: when one of several may answer soon, trying again makes sense.
    status = max(statuses, key=[500, 502, 504, 503].index)
    failure = failures[statuses.index(status)]
    times = [failure.retry_at for failure in failures if failure.retry_at is not None]
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE and times:
        headers["Retry-After"] = seconds_until(min(times), now)
    return reply(status, failure.code, failure.detail, request_id, headers=headers, report=report)


def seconds_until(moment: datetime, now: datetime) -> str:
    """How long to wait for a moment, as Retry-After has it: at least a second."""
    return str(max(1, math.ceil((moment - now).total_seconds())))


def reply(
    status: HTTPStatus,
    code: str,
    detail: str,
    request_id: str,
    *,
    found: list[Detail] | None = None,
    headers: Mapping[str, str] | None = None,
    report: Any = msgspec.UNSET,
) -> Reply:
    """A problem with this status and code."""
    problem = Problem(
        type=DOCUMENTED_AT + code,
        title=status.phrase,
        status=int(status),
        detail=detail,
        code=code,
        request_id=request_id,
        errors=found or msgspec.UNSET,
        report=report,
    )
    sent = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **(headers or {})}
    if status in _RETRY_AFTER_S:
        sent.setdefault("Retry-After", str(_RETRY_AFTER_S[status]))
    return Reply(int(status), sent, msgspec.json.encode(problem))
