"""The responses of every operation, and the headers of responses, for the OpenAPI document."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, get_args

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec import NODEFAULT
from msgspec.inspect import StructType, multi_type_info

from adapters.http.openapi.parameters import Json
from adapters.http.protocol.problems import MEDIA_TYPE
from adapters.http.protocol.routing import OPTIONAL

#: The problems of every operation, most of them before routing; 503 also if the store cannot be
#: asked whether a token is valid.
_ANYWHERE = (400, 401, 405, 408, 414, 426, 431, 500, 503)
#: Any operation that writes refuses pages of other sites.
_WRITING = (*_ANYWHERE, 403)


def _header(description: str, required: bool = True, **schema: str | int) -> Json:
    return {"description": description, "required": required, "schema": {"type": "string"} | schema}


#: The headers of responses, by name.
HEADERS: Json = {
    "X-Request-ID": _header(
        "The X-Request-ID of the request if it was valid, or a new one",
        pattern="^[A-Za-z0-9._:-]{1,64}$",
    ),
    "Allow": _header("The methods that the path allows"),
    "WWW-Authenticate": _header("How to authenticate (RFC 6750)", pattern="^Bearer"),
    "Retry-After": _header("Seconds to wait before asking again", type="integer", minimum=1),
    f"Retry-After{OPTIONAL}": _header(
        "Seconds to wait before asking again, as long as the job has not ended",
        required=False,
        type="integer",
        minimum=1,
    ),
    "Location": _header("Where to find what was created", pattern="^/"),
    "ETag": _header("What to send as `If-None-Match`, or before a change as `If-Match`"),
    "Link": _header('The next page, if there is one: `<...>; rel="next"`', required=False),
    "Age": _header(
        "Seconds since a source last answered", required=False, type="integer", minimum=0
    ),
    "Content-Disposition": _header("The name of the file, if this is an export", required=False),
    "Idempotent-Replayed": _header(
        "Whether this is the answer to an earlier request with the same key", required=False
    ),
    "Preference-Applied": _header("The part of `Prefer` that was honoured", required=False),
    "RateLimit": _header("What is left of the limit, and for how long", required=False),
    "RateLimit-Policy": _header("The limit of this client", required=False),
}

#: The headers of problems, by status.
_OF_PROBLEMS: Mapping[str, tuple[str, ...]] = {
    "401": ("WWW-Authenticate",),
    "405": ("Allow",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
_LIMITED = ("RateLimit", "RateLimit-Policy")


def problem(status: int) -> Json:
    """Return the response of a problem with this status."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def describe_responses(
    operation: Json,
    headers: Mapping[str, tuple[str, ...]],
    *,
    writes: bool = False,
    is_limited: bool = False,
) -> None:
    """Add the problems of every operation, and to every response its headers (by status)."""
    responses = operation["responses"]
    for status in (*(_WRITING if writes else _ANYWHERE), *((429,) if is_limited else ())):
        responses.setdefault(str(status), problem(status))
    for status, response in responses.items():
        names = ("X-Request-ID", *headers.get(status, ()))
        if MEDIA_TYPE in response.get("content", {}):
            names += _OF_PROBLEMS.get(status, ())
        if is_limited:
            names += _LIMITED
        response["headers"] = {
            name.removesuffix(OPTIONAL): {"$ref": f"#/components/headers/{name}"} for name in names
        }
    operation["responses"] = dict(sorted(responses.items()))


# ---------------------------------------------------------------- the schemas of answers


def require_what_is_sent(components: Json, handlers: Iterable[HTTPRouteHandler]) -> None:
    """Mark as required all members of answers that are always sent.

    The framework omits those with a default, and puts a field's default into the schema of its
    type; but defaults are sent like any other value.
    """
    types = [kind for handler in handlers for kind in _answered(handler)]
    for found in _structs(multi_type_info(types)):
        if (component := components.get(found.cls.__name__)) is not None:
            component["required"] = _sent(found)
    for component in components.values():
        for part in (component, *component.get("properties", {}).values()):
            part.pop("default", None)


def _answered(handler: HTTPRouteHandler) -> Iterator[Any]:
    """Yield the types that a handler answers with."""
    returned = handler.parsed_fn_signature.return_type
    for each in returned.inner_types or (returned,):
        # msgspec refuses a union of structs, which it could not decode.
        yield from get_args(each.annotation) if each.is_union else (each.annotation,)
    yield from (spec.data_container for spec in (handler.responses or {}).values())


def _structs(part: Any) -> Iterator[StructType]:
    """Yield the structs within the description of a type."""
    if isinstance(part, StructType):
        yield part
    inner: Iterable[Any] = part if isinstance(part, tuple | list) else ()
    if isinstance(part, msgspec.Struct):
        inner = [getattr(part, name) for name in part.__struct_fields__]
    for each in inner:
        yield from _structs(each)


def _sent(found: StructType) -> list[str]:
    """Return the fields that are always sent: all but those that may be unset."""
    is_whole = not found.cls.__struct_config__.omit_defaults
    return [
        field.encode_name
        for field in found.fields
        if field.required
        or (is_whole and (field.default, field.default_factory) != (NODEFAULT, NODEFAULT))
    ]
