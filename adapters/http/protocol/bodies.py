"""Request bodies: read within limits, decoded, and refused with the place of what is wrong."""

import asyncio
import re
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypeVar, get_args, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException, InternalServerException

from adapters.http.protocol.negotiation import JSON
from adapters.http.protocol.problems import ECHO, Refusal
from domain.errors import InvalidInput

T = TypeVar("T")

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`(?: - at `\$(.*)`)?", re.DOTALL)
_MISSING = re.compile(r"(Object missing required field `(.*)`)(?: - at `\$(.*)`)?", re.DOTALL)
_PLACED = re.compile(r"(.*) - at `\$(.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def decoded(body: bytes, wanted: type[T]) -> T:
    """A JSON text as this type; a Refusal for what is no JSON, InvalidInput for another type."""
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.ValidationError as error:
        # It gives up at the first value of a wrong type, and what follows may be no JSON at all.
        parsed(body)
        raise _misfit(str(error), wanted) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("the body is not valid JSON") from error


def parsed(body: bytes) -> Any:
    """A JSON text as whatever it is; a Refusal for what is no JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("the body is not valid JSON") from error


def converted(fields: dict[str, str], wanted: type[T]) -> T:
    """The fields of a form as this type; InvalidInput for what is not of it."""
    try:
        return msgspec.convert(fields, wanted)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), wanted) from error


def malformed(detail: str) -> Refusal:
    """A body that cannot be read at all."""
    return Refusal(HTTPStatus.BAD_REQUEST, "malformed_request", detail)


def pointer_to(name: str) -> str:
    """One step of a JSON pointer."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _misfit(reason: str, wanted: type[Any]) -> InvalidInput:
    """Say in our words what msgspec says of a value and its path."""
    if unknown := _UNKNOWN.fullmatch(reason):
        pointer = _pointer(unknown[2]) + pointer_to(unknown[1])
        return InvalidInput(pointer, f"there is no field {unknown[1]!r} here"[:ECHO])
    if missing := _MISSING.fullmatch(reason):
        return InvalidInput(_pointer(missing[3]) + pointer_to(missing[2]), "is missing")
    placed = _PLACED.fullmatch(reason)
    pointer, told = (_pointer(placed[2]), placed[1]) if placed else ("", reason)
    choices = _choices(wanted, pointer) if told.startswith("Invalid enum value") else None
    detail = f"expected one of {', '.join(choices)}" if choices else told
    return InvalidInput(pointer, detail[:ECHO])


def _choices(wanted: type[Any], pointer: str) -> list[str]:
    """What a field of the body may be, if it is a choice."""
    hint = get_type_hints(wanted).get(pointer.removeprefix("/"))
    found = [h for h in (hint, *get_args(hint)) if isinstance(h, type) and issubclass(h, StrEnum)]
    return [str(choice) for each in found for choice in each]


def _pointer(path: str | None) -> str:
    return "".join(pointer_to(name or number) for name, number in _STEP.findall(path or ""))


FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
#: What OAuth 2.0 clients send with a login besides the name and the password.
_OAUTH = frozenset({"grant_type", "scope", "client_id", "client_secret"})


async def read_json(
    request: Request[Any, Any, Any],
    wanted: type[T],
    body_s: float,
    *others: str,
    or_nothing: T | None = None,
) -> T:
    """Read a JSON body as this type; `others` are media types that will do besides JSON's own.

    `or_nothing` is what no body at all means, if anything. A Refusal for what is no JSON, comes too
    slowly or is of another kind; InvalidInput for what is not of the type: let the type forbid
    fields it does not have.
    """
    body = await _body(request, body_s)
    if not body and or_nothing is not None:
        return or_nothing
    kinds = (JSON, *others)
    if _kind(request) not in kinds:
        raise _other_kind(f"the body has to be plain {' or '.join(kinds)}")
    return decoded(body, wanted)


async def read_form(request: Request[Any, Any, Any], wanted: type[T], body_s: float) -> T:
    """Read a body as this type that is either a form or JSON."""
    body = await _body(request, body_s)
    kind = _kind(request)
    if kind == JSON:
        return decoded(body, wanted)
    if kind == FORM:
        fields = _fields_of(body)
    elif kind == MULTIPART:
        fields = await _parts_of(request)
    else:
        raise _other_kind(f"the body has to be {JSON}, {FORM} or {MULTIPART}")
    return converted({n: value for n, value in fields.items() if n not in _OAUTH}, wanted)


async def nothing_in(request: Request[Any, Any, Any], body_s: float) -> None:
    """Read the body of a fetch: an empty JSON object is accepted, and anything else explained."""
    body = await _body(request, body_s)
    if not body:
        return
    if _kind(request) != JSON:
        raise _other_kind(f"a fetch needs no body; if there is one, it is plain {JSON}")
    value = parsed(body)
    if not isinstance(value, dict):
        raise InvalidInput("", "a fetch needs no body; if there is one, it is an empty object")
    for name in value:
        detail = "a fetch takes no fields: what is fetched is named in the path"
        raise InvalidInput(pointer_to(name), detail)


def _fields_of(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
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
    """The media type of a body as it is; "" for one that is packed."""
    if request.headers.get("content-encoding", "identity") != "identity":
        return ""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _other_kind(detail: str) -> Refusal:
    return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)


async def _body(request: Request[Any, Any, Any], body_s: float) -> bytes:
    try:
        async with asyncio.timeout(body_s):
            return await request.body()
    except InternalServerException as error:
        # So the framework says that the client has left; there is nobody to read this.
        raise malformed("the body did not arrive whole") from error
    except TimeoutError as error:
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT,
            "body_too_slow",
            f"the body did not arrive within {body_s:g} seconds",
            {"Connection": "close"},
        ) from error
