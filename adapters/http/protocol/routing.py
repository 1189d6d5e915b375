"""Routing: types and helpers that the framework's routes share, and their errors."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter, QueryParameter, SkipValidation

from adapters.http.protocol.asgi import Gone, path_of, request_id_of
from adapters.http.protocol.cursors import CursorSigner, next_page_of
from adapters.http.protocol.negotiation import JSON, json_of
from adapters.http.protocol.problems import (
    ECHO,
    MEDIA_TYPE,
    Detail,
    Problem,
    Reply,
    reply,
    reply_to,
    status_of,
)
from adapters.http.protocol.query_params import parameters_of
from application.ports.operations import Events
from domain.dataset import Dataset
from domain.events import RequestFailed
from domain.paging import MAX_LIMIT, Cursor

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")
_UNUSED = "-"

_CODES = {
    404: ("not_found", "nothing is at this path; GET / lists what is available"),
    405: ("method_not_allowed", "this path does not take that method"),
    413: ("body_too_large", "the body is larger than allowed"),
}

T = TypeVar("T")

AnyRequest = Request[Any, Any, Any]
#: A dependency of a handler, by name: a use case, a port or a setting of `create_app`.
Use = NamedDependency[SkipValidation[T]]


def provide(value: Any) -> Provide:
    """Return the provider of a dependency."""

    def provided() -> Any:
        return value

    return Provide(provided, sync_to_thread=False)


# ---------------------------------------------------------------- parameters

#: An identifier in a path; text of another form identifies nothing.
Identifier = Annotated[str, PathParameter(schema_extra={"pattern": f"^{_IDENTIFIER.pattern}$"})]
#: How many items a page has.
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="items on a page")]
#: Where a page begins.
CursorText = Annotated[
    str | None, QueryParameter(name="cursor", description="next_cursor of the previous page")
]


def filtered_like(dataset: Dataset[Any]) -> dict[str, Any]:
    """Return the option of a route with the query parameters of a dataset's records."""
    return {"dataset": dataset}


def dataset_of(handler: BaseRouteHandler) -> Dataset[Any] | None:
    """Return the dataset whose query parameters a route has, if any."""
    dataset: Dataset[Any] | None = handler.opt.get("dataset")
    return dataset


def identifier(text: str) -> str:
    """Return an identifier from a path, or an unused one if it is malformed."""
    return text if _IDENTIFIER.fullmatch(text) else _UNUSED


# ---------------------------------------------------------------- answers


class CursorPaging(msgspec.Struct, frozen=True, kw_only=True):
    """The position in a list that is paged by cursors only."""

    limit: int
    next_cursor: str | None
    has_more: bool


def paging_of(
    request: AnyRequest, signer: CursorSigner, of: str, limit: int, last: Cursor | None
) -> tuple[CursorPaging, dict[str, str]]:
    """Return the paging and the Link header after `last`; None for the last page."""
    if last is None:
        return CursorPaging(limit=limit, next_cursor=None, has_more=False), {}
    cursor = signer.write(of, last)
    given = parameters_of(request.scope["query_string"])
    link = next_page_of(request.scope["path"], given, cursor)
    return CursorPaging(limit=limit, next_cursor=cursor, has_more=True), {"Link": link}


#: At the end of a header's name: it is not in every answer of that status, as in others.
OPTIONAL = "-Optional"


@dataclass
class Answer(ResponseSpec):
    """A response that a handler's signature cannot describe, with the names of its headers."""

    generate_examples: bool = False
    description: str = "Done"
    headers: tuple[str, ...] = ()


#: For a client that has the current version.
UNCHANGED = Answer(
    None, description="Nothing has changed since the answer with that ETag", headers=("ETag",)
)


def problems(*statuses: int, headers: tuple[str, ...] = ()) -> dict[int, ResponseSpec]:
    """Return the problems of a route besides those of every route."""
    return {
        status: Answer(
            Problem,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
            headers=headers,
        )
        for status in sorted({400, 422, 500, *statuses})
    }


def answer(sent: Reply) -> Response[Any]:
    """Return a reply as a response of the framework."""
    headers = dict(sent.headers)
    media_type = headers.pop("Content-Type", MEDIA_TYPE)
    return Response(sent.body, status_code=sent.status, headers=headers, media_type=media_type)


def json_reply(
    value: Any, headers: Mapping[str, str] | None = None, status: int = HTTPStatus.OK
) -> Reply:
    """Return a reply with a value as JSON."""
    return Reply(int(status), {"Content-Type": JSON, **(headers or {})}, json_of(value))


# ---------------------------------------------------------------- errors


def error_handler(
    events: Events,
) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    """Return the handler that converts any exception of a route into a problem."""

    def problem_response(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        request_id = request_id_of(request.scope)
        if isinstance(error, Gone):
            raise error  # to the first layer, which knows what that means
        if isinstance(error, ValidationException):
            return answer(_invalid(error, request_id))
        if isinstance(error, HTTPException) and error.status_code < 500:
            return answer(_refused(error, request_id))
        if status_of(error) is None:
            events.publish(RequestFailed(path=path_of(request.scope), error=error))
        return answer(reply_to(error, request_id))

    return problem_response


def _refused(error: HTTPException, request_id: str) -> Reply:
    code, detail = _CODES.get(
        error.status_code, ("malformed_request", "this request cannot be understood")
    )
    allow = (error.headers or {}).get("Allow") or (error.headers or {}).get("allow")
    headers = {"Allow": allow.replace("GET", "GET, HEAD")} if allow else {}
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers["Connection"] = "close"  # instead of reading the rest of the body
    return reply(code, detail, request_id, headers=headers)


def _invalid(error: ValidationException, request_id: str) -> Reply:
    """Return the problem of parameters that do not match the signature of their handler."""
    extra = error.extra if isinstance(error.extra, list) else []
    found = [
        Detail(str(item.get("message", ""))[:ECHO], parameter=str(item.get("key", ""))[:ECHO])
        for item in extra
        if isinstance(item, dict)
    ]
    detail = found[0].detail if found else "a parameter has an invalid value"
    return reply("invalid_value", detail, request_id, found=found)
