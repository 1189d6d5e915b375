"""Bodies: read whole and strictly, as JSON or as a form; what is wrong with one is explained."""

import asyncio
import re
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from adapters.http.problems import ECHO, Refusal
from domain.errors import InvalidInput

T = TypeVar("T")

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
#: What OAuth 2.0 clients send with a login besides the name and the password.
_OAUTH = frozenset({"grant_type", "scope", "client_id", "client_secret"})

_PLACE = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_FIELD = re.compile(r"(?:unknown|required) field `(.*)`")


async def nothing_in(request: Request[Any, Any, Any], body_s: float) -> None:
    """Read the body of a fetch: an empty JSON object is accepted, and anything else explained."""
    body = await _body(request, body_s)
    if not body:
        return
    if _kind(request) != _JSON:
        raise _other_kind("a fetch needs no body; if there is one, it is plain application/json")
    value = _decoded(body, Any)
    if not isinstance(value, dict):
        raise InvalidInput("", "a fetch needs no body; if there is one, it is an empty object")
    for name in value:
        detail = "a fetch takes no fields: what is fetched is named in the path"
        raise InvalidInput(_pointer_to(name), detail)


async def read_json(
    request: Request[Any, Any, Any], wanted: type[T], body_s: float, or_nothing: T | None = None
) -> T:
    """Read a JSON body as this type; `or_nothing` is what no body at all means, if anything.

    A Refusal for what is not JSON, InvalidInput for what is not of the type.
    """
    body = await _body(request, body_s)
    if not body and or_nothing is not None:
        return or_nothing
    if _kind(request) != _JSON:
        raise _other_kind("expected a body of plain application/json")
    return _decoded(body, wanted)


async def read_form(request: Request[Any, Any, Any], wanted: type[T], body_s: float) -> T:
    """Read a body as this type that is either a form or JSON."""
    body = await _body(request, body_s)
    kind = _kind(request)
    if kind == _JSON:
        return _decoded(body, wanted)
    if kind == _FORM:
        fields = _fields_of(body)
    elif kind == _MULTIPART:
        fields = {name: str(value) for name, value in (await request.form()).items()}
    else:
        raise _other_kind(f"expected a body of {_JSON}, {_FORM} or {_MULTIPART}")
    told = {name: value for name, value in fields.items() if name not in _OAUTH}
    try:
        return msgspec.convert(told, wanted)
    except msgspec.ValidationError as error:
        raise _unacceptable(error) from error


def _fields_of(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise _malformed("the body is not a percent-encoded form in UTF-8") from error
    if len(dict(pairs)) != len(pairs):
        raise _malformed("the form has a field twice")
    return dict(pairs)


def _decoded(body: bytes, wanted: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.ValidationError as error:
        raise _unacceptable(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed("the body is not valid JSON") from error


def _unacceptable(error: msgspec.ValidationError) -> InvalidInput:
    text = str(error)
    place, field = _PLACE.search(text), _FIELD.search(text)
    steps = _STEP.findall(place[1]) if place else ()
    pointer = "".join(_pointer_to(name or number) for name, number in steps)
    if field:
        pointer += _pointer_to(field[1])
    return InvalidInput(pointer, _PLACE.sub("", text)[:ECHO])


def _pointer_to(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _kind(request: Request[Any, Any, Any]) -> str:
    """The media type of a body as it is; "" for one that is packed."""
    if request.headers.get("content-encoding", "identity") != "identity":
        return ""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _other_kind(detail: str) -> Refusal:
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)


def _malformed(detail: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "malformed_request", detail)


async def _body(request: Request[Any, Any, Any], body_s: float) -> bytes:
    try:
        async with asyncio.timeout(body_s):
            return await request.body()
    except InternalServerException as error:
        # So the framework says that the client has left; there is nobody to read this.
        raise _malformed("the body did not arrive whole") from error
    except TimeoutError as error:
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT,
            "body_too_slow",
            f"the body did not arrive within {body_s:g} seconds",
            {"Connection": "close"},
        ) from error
