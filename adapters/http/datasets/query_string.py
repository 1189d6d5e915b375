"""A read as it is asked for: its headers, and its query string turned into a page request."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import msgspec

from adapters.http.protocol.access import CALLER
from adapters.http.protocol.asgi import Scope
from adapters.http.protocol.cursors import CursorSigner, records_of
from adapters.http.protocol.negotiation import best_match
from adapters.http.protocol.problems import ECHO, Refusal
from adapters.http.protocol.query_params import limit_of, number_of
from domain.dataset import Dataset, Role
from domain.errors import InvalidValue, MalformedQuery, UnknownParameter
from domain.filters import Filter
from domain.paging import (
    MAX_OFFSET,
    Counting,
    PageRequest,
    Sort,
)
from domain.users import ANYBODY

Parameters = Sequence[tuple[str, str]]
Key = tuple[Any, ...]
E = TypeVar("E", bound=StrEnum)


class Format(StrEnum):
    """How records are written; the last two are exports of the whole answer."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """The media type, as Content-Type has it."""
        return _MEDIA_TYPE[self]


_MEDIA_TYPE = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8; header=present",
}

CONTROLS = ("sort", "fields", "limit", "offset", "cursor", "count", "format")
_PAGING = ("limit", "offset", "cursor", "count")


class ReadRequest(NamedTuple):
    """A request for reading: what matters of its headers, found in one pass over them.

    `key` tells one answer from another; it is None for a request with credentials. `started` is
    when the request arrived (`perf_counter`).
    """

    scope: Scope
    started: float
    role: Role
    key: Key | None
    accept: str
    is_conditional: bool
    is_private: bool


def read_request(scope: Scope) -> ReadRequest:
    """Return what matters of a request for reading."""
    started = perf_counter()
    accept = b""
    is_conditional = is_private = is_personal = False
    for name, value in scope["headers"]:
        if name == b"accept":
            accept += b"," + value if accept else value
        elif name == b"if-none-match":
            is_conditional = True
        elif name == b"authorization":
            is_private = True
        elif name == b"cookie":
            is_personal = True
    key = None
    if not is_private and not is_personal:
        key = scope["path"], scope["query_string"], accept
    role = scope.get(CALLER, ANYBODY).role
    return ReadRequest(
        scope, started, role, key, accept.decode("latin-1"), is_conditional, is_private
    )


class ReadQuery(msgspec.Struct, frozen=True):
    """What a read asks for: which page, which fields, and how the records are written."""

    request: PageRequest
    fields: tuple[str, ...]
    format: Format
    parameters: Parameters

    @property
    def canonical(self) -> tuple[Any, ...]:
        """What is asked, written the same way however the caller wrote it."""
        r = self.request
        position = None if r.cursor is None else r.cursor.position
        asked = (r.filter.format(), r.sort.text)
        return (*asked, r.limit, r.offset, position, r.counting.value, self.fields)


def read_query(
    dataset: Dataset[Any], parameters: Parameters, signer: CursorSigner, accept: str = ""
) -> ReadQuery:
    """Return what the parameters of a list of records ask for; raise InvalidQuery.

    Raise Refusal when no format that `accept` names is offered.
    """
    controls, conditions = _sorted_out(dataset, parameters)
    filter = Filter.parse(dataset.fields, conditions)
    format = _choice(controls, "format", Format) if "format" in controls else accepted(accept)
    sort = _sort(dataset, controls.get("sort", dataset.default_sort))
    if format is Format.NDJSON or format is Format.CSV:
        _refuse_paging(controls)
    if "cursor" in controls and "offset" in controls:
        raise MalformedQuery("offset", "cursor and offset exclude each other; give one")
    request = PageRequest(
        filter=filter,
        sort=sort,
        limit=limit_of(controls),
        offset=number_of(controls, "offset", 0, 0, MAX_OFFSET),
        cursor=signer.read(records_of(dataset), controls["cursor"])
        if "cursor" in controls
        else None,
        counting=_choice(controls, "count", Counting) if "count" in controls else Counting.NONE,
    )
    fields = _fields(dataset, controls["fields"]) if "fields" in controls else ()
    if format is None:
        raise Refusal(
            "not_acceptable",
            "records come as application/json, application/x-ndjson or text/csv",
        )
    return ReadQuery(request, fields, format, parameters)


def read_fields(dataset: Dataset[Any], parameters: Parameters) -> tuple[str, ...]:
    """Return the fields that are asked for of one record; raise UnknownParameter for all else."""
    for name, _ in parameters:
        if name != "fields":
            raise UnknownParameter(name, "one record can only be asked with: fields")
    return _fields(dataset, parameters[0][1]) if parameters else ()


def _sorted_out(
    dataset: Dataset[Any], parameters: Parameters
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the control words and the conditions among the parameters."""
    controls: dict[str, str] = {}
    conditions: list[tuple[str, str]] = []
    for name, value in parameters:
        if name in CONTROLS:
            controls[name] = value
        elif name in dataset.fields or name.rpartition("__")[0] in dataset.fields:
            conditions.append((name, value))
        else:
            allowed = ", ".join([*CONTROLS, *dataset.fields])
            raise UnknownParameter(name, f"there is no such parameter; there are: {allowed}")
    return controls, conditions


def _refuse_paging(controls: Mapping[str, str]) -> None:
    for name in _PAGING:
        if name in controls:
            raise MalformedQuery(name, f"an export is the whole answer; leave out {name}")


def _choice(controls: Mapping[str, str], name: str, choices: type[E]) -> E:
    text = controls[name]
    allowed = [choice.value for choice in choices]
    if text not in allowed:
        raise InvalidValue(name, f"expected one of {', '.join(allowed)}")
    return choices(text)


@lru_cache(maxsize=256)
def _sort(dataset: Dataset[Any], text: str) -> Sort:
    names = [item.removeprefix("-") for item in text.split(",") if item]
    for name in names:
        if name not in dataset.fields or not dataset.fields[name].sortable:
            allowed = ", ".join(field.name for field in dataset.fields.values() if field.sortable)
            detail = f"cannot sort by {name[:ECHO]!r}; the sort fields are: {allowed}"
            raise UnknownParameter("sort", detail)
        if names.count(name) > 1:
            raise MalformedQuery("sort", f"sorts by {name} twice")
    return Sort.parse(dataset, text)


def _fields(dataset: Dataset[Any], text: str) -> tuple[str, ...]:
    """Return the wanted fields, in the record's order and always with the key."""
    wanted = {*text.split(","), *dataset.key}
    for name in wanted:
        if name not in dataset.fields:
            allowed = ", ".join(dataset.fields)
            detail = f"there is no field {name[:ECHO]!r}; the fields are: {allowed}"
            raise UnknownParameter("fields", detail)
    return tuple(name for name in dataset.fields if name in wanted)


# ---------------------------------------------------------------- what the client accepts

_ACCEPTED = {
    "application/json": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "text/csv": Format.CSV,
}


def accepted(accept: str) -> Format | None:
    """Return the format an Accept header likes best, JSON among equals; None if it likes none."""
    if accept in ("", "*/*", "application/json"):
        return Format.JSON
    best = best_match(accept, _ACCEPTED)
    return None if best is None else _ACCEPTED[best]
