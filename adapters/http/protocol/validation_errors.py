"""Misfits: what is wrong with a body, in our words, and where in it."""

import re
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

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
