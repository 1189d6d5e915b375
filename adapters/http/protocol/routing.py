"""Answers: what the Litestar routes share, from strict parameters to documented problems."""

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from adapters.http.protocol.asgi import path_of, request_id_of
from adapters.http.protocol.negotiation import JSON, json_of
from adapters.http.protocol.problems import (
    ECHO,
    MEDIA_TYPE,
    Detail,
    Problem,
    Refusal,
    Reply,
    reply,
    reply_to,
    status_of,
)
from adapters.http.protocol.query_params import parameters_of
from application.ports.operations import Events
from domain.errors import InvalidValue, UnknownParameter
from domain.events import RequestFailed

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")
_NOBODYS = "-"

_CODES = {
    404: ("not_found", "there is nothing at this path; GET / shows what there is"),
    405: ("method_not_allowed", "this path does not take that method"),
    413: ("body_too_large", "the body is larger than a body may be"),
}


class CursorPaging(msgspec.Struct, frozen=True, kw_only=True):
    """How to go on from here in a list that is paged by cursors alone."""

    limit: int
    next_cursor: str | None
    has_more: bool


def answer(sent: Reply) -> Response[bytes]:
    """A ready reply as a Litestar response."""
    headers = dict(sent.headers)
    media_type = headers.pop("Content-Type", MEDIA_TYPE)
    return Response(sent.body, status_code=sent.status, headers=headers, media_type=media_type)


def json_reply(
    answered: Any, headers: Mapping[str, str] | None = None, status: int = HTTPStatus.OK
) -> Reply:
    """The reply that tells this as JSON."""
    told = {"Content-Type": JSON, **(headers or {})}
    return Reply(int(status), told, json_of(answered))


def error_handler(
    events: Events,
) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    """Return what makes any exception of a route its problem."""

    def to_response(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        request_id = request_id_of(request.scope)
        if isinstance(error, ValidationException):
            return answer(_invalid(error, request_id))
        if isinstance(error, HTTPException) and error.status_code < 500:
            return answer(_refused(error, request_id))
        if status_of(error) is None and not isinstance(error, Refusal):
            events.publish(RequestFailed(path=path_of(request.scope), error=error))
        return answer(reply_to(error, request_id))

    return to_response


def _refused(error: HTTPException, request_id: str) -> Reply:
    status = HTTPStatus(error.status_code)
    code, detail = _CODES.get(
        error.status_code, ("malformed_request", "this request cannot be understood")
    )
    allow = (error.headers or {}).get("Allow") or (error.headers or {}).get("allow")
    headers = {"Allow": allow.replace("GET", "GET, HEAD")} if allow else {}
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers["Connection"] = "close"  # the rest of the body is not waited for
    return reply(status, code, detail, request_id, headers=headers)


def _invalid(error: ValidationException, request_id: str) -> Reply:
    """A parameter of the wrong type; the framework says which, we say it in our words."""
    extra = error.extra if isinstance(error.extra, list) else []
    found = [
        Detail(str(item.get("message", ""))[:ECHO], parameter=str(item.get("key", ""))[:ECHO])
        for item in extra
        if isinstance(item, dict)
    ]
    detail = found[0].detail if found else "a parameter has a value it cannot have"
    return reply(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_value", detail, request_id, found=found)


def guarded(
    allowed: Mapping[str, tuple[str, ...] | None] | None = None,
) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """A hook that refuses parameters a route does not have, values it does not, and repetitions.

    A parameter without choices may have any value.
    """
    choices = allowed or {}

    async def guard(request: Request[Any, Any, Any]) -> None:
        for name, value in parameters_of(request.scope["query_string"]):
            if name not in choices:
                known = ", ".join(choices) or "none"
                raise UnknownParameter(name, f"there is no such parameter; there are: {known}")
            known_values = choices[name]
            if known_values is not None and value not in known_values:
                raise InvalidValue(name, f"expected one of {', '.join(known_values)}")

    return guard


def identifier(text: str) -> str:
    """An identifier from a path, or one that nothing has: a store need not take every text."""
    return text if _IDENTIFIER.fullmatch(text) else _NOBODYS


def documented(answered: Any, *statuses: int, done: int = 200) -> dict[int, ResponseSpec]:
    """What a route may answer, for the OpenAPI document; `done` is the status of success."""
    problems = {400, 422, 500, *statuses}
    return {
        done: ResponseSpec(answered, generate_examples=False, description="Done"),
        **{
            status: ResponseSpec(
                Problem,
                generate_examples=False,
                description=HTTPStatus(status).phrase,
                media_type=MEDIA_TYPE,
            )
            for status in sorted(problems)
        },
    }
