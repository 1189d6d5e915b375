"""Bodies: read strictly, within their time, and told of by the place that is wrong."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from adapters.http.problems import ECHO, Refusal
from domain.errors import InvalidValue

T = TypeVar("T")

JSON = "application/json"

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`(?: - at `\$(.*)`)?", re.DOTALL)
_MISSING = re.compile(r"(Object missing required field `(.*)`)(?: - at `\$(.*)`)?", re.DOTALL)
_PLACED = re.compile(r"(.*) - at `\$(.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


async def read_json(
    request: Request[Any, Any, Any], kind: type[T], body_s: float, *others: str
) -> T:
    """Read the body as this type; `others` are media types that will do besides JSON's own.

    A Refusal with 400 for what is no JSON, 408, 413, 415, and 422 for what is not of the type:
    let the type forbid fields it does not have.
    """
    body = await _body(request, body_s)
    _check_kind(
        request, (JSON, *others), "the body has to be plain " + " or ".join((JSON, *others))
    )
    return _decoded(body, kind)


async def nothing_in(request: Request[Any, Any, Any], body_s: float) -> None:
    """Read the body of a fetch: an empty JSON object is accepted, and anything else explained."""
    body = await _body(request, body_s)
    if not body:
        return
    _check_kind(request, (JSON,), "a fetch needs no body; if there is one, it is plain " + JSON)
    value = _parsed(body)
    if not isinstance(value, dict):
        raise unacceptable("", "a fetch needs no body; if there is one, it is an empty object")
    for name in value:
        raise unacceptable(
            f"/{_escaped(name)}", "a fetch takes no fields: what is fetched is named in the path"
        )


def unacceptable(pointer: str, detail: str) -> Refusal:
    """A body that can be read, and has this wrong at that place."""
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY, InvalidValue.code, detail[:ECHO], pointer=pointer
    )


@contextmanager
def judging_body() -> Iterator[None]:
    """Tell of a value that a rule refuses inside the block as of a field of the body."""
    try:
        yield
    except InvalidValue as error:
        raise unacceptable(f"/{_escaped(error.parameter)}", error.detail) from error


# ---------------------------------------------------------------- what came


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


def _check_kind(request: Request[Any, Any, Any], kinds: tuple[str, ...], expected: str) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in kinds or request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", expected)


# ---------------------------------------------------------------- what it says


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed("the body is not valid JSON") from error


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        # It gives up at the first value of a wrong type, and what follows may be no JSON at all.
        _parsed(body)
        raise _misfit(str(error), kind) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed("the body is not valid JSON") from error


def _malformed(detail: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "malformed_request", detail)


def _misfit(reason: str, kind: type[Any]) -> Refusal:
    """Say in our words what msgspec says of a value and its path."""
    if unknown := _UNKNOWN.fullmatch(reason):
        pointer = f"{_pointer(unknown[2])}/{_escaped(unknown[1])}"
        return unacceptable(pointer, f"there is no field {unknown[1][:ECHO]!r} here")
    if missing := _MISSING.fullmatch(reason):
        return unacceptable(f"{_pointer(missing[3])}/{_escaped(missing[2])}", "is missing")
    placed = _PLACED.fullmatch(reason)
    pointer, told = (_pointer(placed[2]), placed[1]) if placed else ("", reason)
    choices = _choices(kind, pointer) if told.startswith("Invalid enum value") else None
    return unacceptable(pointer, f"expected one of {', '.join(choices)}" if choices else told)


def _choices(kind: type[Any], pointer: str) -> list[str]:
    """What a field of the body may be, if it is a choice."""
    hint = get_type_hints(kind).get(pointer.removeprefix("/"))
    found = [h for h in (hint, *get_args(hint)) if isinstance(h, type) and issubclass(h, StrEnum)]
    return [str(choice) for each in found for choice in each]


def _pointer(path: str | None) -> str:
    return "".join(f"/{_escaped(name or number)}" for name, number in _STEP.findall(path or ""))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
