"""Request bodies: read within limits, decoded, and refused with a pointer to the fault."""

import asyncio
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_args, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException, InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.params import BodyKwarg

from adapters.http.protocol.negotiation import JSON
from adapters.http.protocol.problems import ECHO, Refusal
from domain.errors import InvalidInput

T = TypeVar("T")

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MERGE_PATCH = "application/merge-patch+json"
#: Fields that OAuth 2.0 clients send with a login besides the name and the password.
_OAUTH = frozenset({"grant_type", "scope", "client_id", "client_secret"})


@dataclass(frozen=True)
class _OneOf(BodyKwarg):
    """A marker for a body of several media types."""

    media_types: tuple[str, ...] = (JSON,)


#: Bodies of handlers, beside the framework's own `JSONBody`: `data: FormBody[Credentials]`.
FormBody = Annotated[T, _OneOf(media_types=(JSON, FORM, MULTIPART))]
PatchBody = Annotated[T, _OneOf(media_types=(JSON, MERGE_PATCH))]


def media_types_of(handler: HTTPRouteHandler) -> tuple[str, ...]:
    """Return the media types of a handler's body; none if it takes no body."""
    if handler.parsed_data_field is None:
        return ()
    marker = handler.parsed_data_field.kwarg_definition
    return marker.media_types if isinstance(marker, _OneOf) else (JSON,)


def bounded_request(body_s: float) -> type[Request[Any, Any, Any]]:
    """Return a class of requests whose body has to arrive within `body_s` seconds.

    It raises Refusal for a body that is malformed, too slow or of another media type, and
    InvalidInput for one that does not match the type of the handler's `data`.
    """

    class BoundedRequest(Request[Any, Any, Any]):
        async def body(self) -> bytes:
            try:
                async with asyncio.timeout(body_s):
                    body = await super().body()
            except InternalServerException as error:
                # So the framework says that the client has left.
                raise malformed("the body did not arrive whole") from error
            except TimeoutError as error:
                detail = f"the body did not arrive within {body_s:g} seconds"
                close = {"Connection": "close"}
                raise Refusal("body_too_slow", detail, close) from error
            field = self.route_handler.parsed_data_field
            if not body and field is not None and not field.has_default:
                await _decode(self, body)  # raises; the framework would call it an error of ours
            return body

        async def json(self) -> Any:
            return await _decode(self, await self.body())

    return BoundedRequest


async def refuse_content(request: Request[Any, Any, Any]) -> None:
    """Raise unless the body of a fetch is empty, or an empty JSON object."""
    body = await request.body()
    if not body:
        return
    if _kind(request) != JSON:
        raise _other_kind(f"a fetch needs no body; if there is one, it is plain {JSON}")
    value = _parse(body)
    if not isinstance(value, dict):
        raise InvalidInput("", "a fetch needs no body; if there is one, it is an empty object")
    for name in value:
        detail = "a fetch takes no fields: what is fetched is named in the path"
        raise InvalidInput(_pointer_to(name), detail)


def malformed(detail: str) -> Refusal:
    """Return the refusal of a malformed body."""
    return Refusal("malformed_request", detail)


# ---------------------------------------------------------------- decoding


async def _decode(request: Request[Any, Any, Any], body: bytes) -> Any:
    """Decode a body as the type of the handler's `data`."""
    handler = request.route_handler
    kinds, kind = media_types_of(handler), _kind(request)
    if kind not in kinds:
        raise _other_kind(f"the body has to be plain {' or '.join(kinds)}")
    wanted: Any = handler.parsed_data_field.annotation  # type: ignore[union-attr]
    try:
        if kind not in (FORM, MULTIPART):
            return msgspec.json.decode(body, type=wanted)
        fields = _fields_of(body) if kind == FORM else await _parts_of(request)
        return msgspec.convert({n: v for n, v in fields.items() if n not in _OAUTH}, wanted)
    except msgspec.ValidationError as error:
        if kind not in (FORM, MULTIPART):
            _parse(body)  # the decoder stops at a wrong type, so the rest may be invalid JSON
        raise _invalid(str(error), wanted) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("the body is not valid JSON") from error


def _parse(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("the body is not valid JSON") from error


def _fields_of(body: bytes) -> dict[str, str]:
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except (UnicodeDecodeError, ValueError) as error:
        raise malformed("the body is not a percent-encoded form in UTF-8") from error
    return _once_each(pairs)


async def _parts_of(request: Request[Any, Any, Any]) -> dict[str, str]:
    try:
        parts = list((await request.form()).multi_items())
    except (ValueError, LookupError, HTTPException) as error:
        raise malformed("the body is not a form in parts, in UTF-8") from error
    pairs = [(name, value) for name, value in parts if isinstance(value, str)]
    if len(pairs) < len(parts):
        raise malformed("the form has a file in it")
    return _once_each(pairs)


def _once_each(pairs: list[tuple[str, str]]) -> dict[str, str]:
    if len(dict(pairs)) != len(pairs):
        raise malformed("the form has a field twice")
    return dict(pairs)


def _kind(request: Request[Any, Any, Any]) -> str:
    """Return the media type of a body, "" for a compressed one."""
    if request.headers.get("content-encoding", "identity") != "identity":
        return ""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _other_kind(detail: str) -> Refusal:
    return Refusal("unsupported_media_type", detail)


# ---------------------------------------------------------------- validation errors

#: msgspec's messages about a missing or unknown field, and about any other value.
_FIELD = re.compile(r"(Object .* field) `(.*)`", re.DOTALL)
_VALUE = re.compile(r"(.*) - at `\$\.(.*)`", re.DOTALL)


def _invalid(reason: str, wanted: type[Any]) -> InvalidInput:
    """Convert msgspec's message about a flat object into an error with a JSON pointer."""
    if field := _FIELD.fullmatch(reason):
        return InvalidInput(_pointer_to(field[2]), f"{field[1]} {field[2]!r}"[:ECHO])
    if not (value := _VALUE.fullmatch(reason)):
        return InvalidInput("", reason[:ECHO])
    hint = get_type_hints(wanted).get(value[2])
    kinds = [k for k in (hint, *get_args(hint)) if isinstance(k, type) and issubclass(k, StrEnum)]
    if kinds and value[1].startswith("Invalid enum value"):
        detail = f"expected one of {', '.join(choice for kind in kinds for choice in kind)}"
        return InvalidInput(_pointer_to(value[2]), detail)
    return InvalidInput(_pointer_to(value[2]), value[1][:ECHO])


def _pointer_to(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")
