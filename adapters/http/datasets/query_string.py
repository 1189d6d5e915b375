"""Questions: the query string of a read, taken apart strictly and turned into a page request."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from adapters.http.protocol.cursors import CursorSigner, records_of
from adapters.http.protocol.negotiation import best_match
from adapters.http.protocol.problems import ECHO
from adapters.http.protocol.query_params import limit_of, number_of, parameters_of
from domain.dataset import Dataset
from domain.errors import InvalidValue, MalformedQuery, UnknownParameter
from domain.filters import Filter
from domain.paging import (
    MAX_OFFSET,
    Counting,
    Cursor,
    PageRequest,
    Sort,
)


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


class ReadQuery(msgspec.Struct, frozen=True):
    """A read as asked: the page, the fields to show, the format wished for (None: as accepted)."""

    request: PageRequest
    fields: tuple[str, ...]
    format: Format | None
    parameters: tuple[tuple[str, str], ...]

    @property
    def canonical(self) -> tuple[Any, ...]:
        """What is asked, written the same way however the caller wrote it."""
        r = self.request
        position = None if r.cursor is None else r.cursor.position
        asked = (r.filter.format(), r.sort.text)
        return (*asked, r.limit, r.offset, position, r.counting.value, self.fields)


def read_question(dataset: Dataset[Any], query: bytes, signer: CursorSigner) -> ReadQuery:
    """Read the query string of a list of records; an InvalidQuery says what is wrong with it."""
    pairs = parameters_of(query)
    controls = {name: value for name, value in pairs if name in CONTROLS}
    filter = Filter.parse(dataset.fields, _conditions(dataset, pairs))
    format = _format(controls)
    sort = _sort(dataset, controls.get("sort", dataset.default_sort))
    if format in (Format.NDJSON, Format.CSV):
        _refuse_paging(controls)
    if "cursor" in controls and "offset" in controls:
        raise MalformedQuery("offset", "cursor and offset exclude each other; give one")
    request = PageRequest(
        filter=filter,
        sort=sort,
        limit=limit_of(controls),
        offset=number_of(controls, "offset", 0, 0, MAX_OFFSET),
        cursor=_cursor(controls, dataset, signer),
        counting=_counting(controls),
    )
    return ReadQuery(request, _fields(dataset, controls), format, tuple(pairs))


def read_projection(dataset: Dataset[Any], query: bytes) -> tuple[str, ...]:
    """Read the query string of one record: only `fields` may be asked for."""
    pairs = parameters_of(query)
    for name, _ in pairs:
        if name != "fields":
            raise UnknownParameter(name, "one record can only be asked with: fields")
    return _fields(dataset, dict(pairs))


def refuse_paging(question: ReadQuery) -> None:
    """Refuse paging where the Accept header asks for an export."""
    _refuse_paging(dict(question.parameters))


def _conditions(dataset: Dataset[Any], pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    conditions = [(name, value) for name, value in pairs if name not in CONTROLS]
    for name, _ in conditions:
        if name not in dataset.fields and name.rpartition("__")[0] not in dataset.fields:
            allowed = ", ".join([*CONTROLS, *dataset.fields])
            raise UnknownParameter(name, f"there is no such parameter; there are: {allowed}")
    return conditions


def _refuse_paging(given: Iterable[str]) -> None:
    for name in _PAGING:
        if name in given:
            raise MalformedQuery(name, f"an export is the whole answer; leave out {name}")


def _cursor(
    controls: Mapping[str, str], dataset: Dataset[Any], signer: CursorSigner
) -> Cursor | None:
    text = controls.get("cursor")
    return None if text is None else signer.read(records_of(dataset), text)


def _counting(controls: dict[str, str]) -> Counting:
    if "count" not in controls:
        return Counting.NONE
    return Counting(_choice(controls, "count", Counting, ""))


def _format(controls: dict[str, str]) -> Format | None:
    if "format" not in controls:
        return None
    return Format(_choice(controls, "format", Format, ""))


def _choice(controls: dict[str, str], name: str, choices: type[StrEnum], default: str) -> str:
    text = controls.get(name, default)
    allowed = [choice.value for choice in choices]
    if text not in allowed:
        raise InvalidValue(name, f"expected one of {', '.join(allowed)}")
    return text


@lru_cache(maxsize=256)
def _sort(dataset: Dataset[Any], text: str) -> Sort:
    names = [item.removeprefix("-") for item in text.split(",") if item]
    for name in names:
        if name not in dataset.fields or not dataset.fields[name].sortable:
            allowed = ", ".join(field.name for field in dataset.fields.values() if field.sortable)
            shown = f"cannot sort by {name[:ECHO]!r}; the sort fields are: {allowed}"
            raise UnknownParameter("sort", shown)
        if names.count(name) > 1:
            raise MalformedQuery("sort", f"sorts by {name} twice")
    return Sort.parse(dataset, text)


def _fields(dataset: Dataset[Any], controls: dict[str, str]) -> tuple[str, ...]:
    """The fields to show, in the record's order and always with the key; () for all of them."""
    text = controls.get("fields")
    if text is None:
        return ()
    wanted = {*text.split(","), *dataset.key}
    for name in wanted:
        if name not in dataset.fields:
            allowed = ", ".join(dataset.fields)
            shown = f"there is no field {name[:ECHO]!r}; the fields are: {allowed}"
            raise UnknownParameter("fields", shown)
    return tuple(name for name in dataset.fields if name in wanted)


# ---------------------------------------------------------------- what the client accepts

_ACCEPTED = {
    "application/json": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "text/csv": Format.CSV,
}


def accepted_format(accept: str) -> Format | None:
    """The format an Accept header likes best, JSON among equals; None if it likes none."""
    if accept in ("", "*/*", "application/json"):
        return Format.JSON
    best = best_match(accept, _ACCEPTED)
    return None if best is None else _ACCEPTED[best]
