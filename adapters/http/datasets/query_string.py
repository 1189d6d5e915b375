"""Read requests: their headers, and their query string parsed into a page request."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

from adapters.http.protocol.access import CALLER
from adapters.http.protocol.asgi import Scope
from adapters.http.protocol.compression import accepts_gzip
from adapters.http.protocol.cursors import CursorSigner, records_of
from adapters.http.protocol.links import origin_of
from adapters.http.protocol.negotiation import best_match
from adapters.http.protocol.problems import ECHO, Refusal
from domain.dataset import Dataset, Role
from domain.errors import InvalidValue, MalformedQuery, UnknownParameter
from domain.fields import Field, FieldType
from domain.filters import Filter, Operator
from domain.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    MAX_OFFSET,
    Counting,
    PageRequest,
    Sort,
)
from domain.users import ANONYMOUS

Parameters = Sequence[tuple[str, str]]
Key = tuple[Any, ...]


class Format(StrEnum):
    """The format of records; the last two are exports of all records that match."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """The media type, as in Content-Type."""
        return _MEDIA_TYPE[self]


_MEDIA_TYPE = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv; charset=utf-8; header=present",
}


class CsvOptions(msgspec.Struct, frozen=True):
    """Options of CSV; `guard` keeps spreadsheets from running text as a formula."""

    bom: bool = False
    delimiter: str = ","
    guard: bool = True


PLAIN_CSV = CsvOptions()
_CSV_CONTROLS = CsvOptions.__struct_fields__
#: Delimiters between cells, by name.
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_DELIMITERS = {**DELIMITERS, **{character: character for character in DELIMITERS.values()}}

#: Formats by name; one has two names.
FORMATS = {**{format.value: format for format in Format}, "jsonl": Format.NDJSON}

CONTROLS = ("sort", "fields", "limit", "offset", "cursor", "count", "format", *_CSV_CONTROLS)
_LISTS = frozenset({"sort", "fields"})
_LIST_OPERATORS = frozenset(operator.value for operator in Operator if operator.takes_list)
#: A limit above the size of any export.
_MOST_EXPORTED = 999_999_999
_DIGITS = re.compile(r"[0-9]{1,9}")


class ReadRequest(NamedTuple):
    """A read request with what its headers say, found in one pass over them.

    `key` identifies the answer in the cache; None for a request with credentials. `started` is the
    time of its arrival (`perf_counter`).
    """

    scope: Scope
    started: float
    role: Role
    key: Key | None
    accept: str
    is_conditional: bool
    is_private: bool
    gzip: bool


def read_request(scope: Scope) -> ReadRequest:
    """Return a read request with what its headers say."""
    started = perf_counter()
    accept = encodings = b""
    is_conditional = is_private = is_personal = False
    for name, value in scope["headers"]:
        if name == b"accept":
            accept += b"," + value if accept else value
        elif name == b"accept-encoding":
            encodings += b"," + value if encodings else value
        elif name == b"if-none-match":
            is_conditional = True
        elif name == b"authorization":
            is_private = True
        elif name == b"cookie":
            is_personal = True
    key = None
    if not is_private and not is_personal:
        key = scope["path"], scope["query_string"], accept, origin_of(scope)
    role = scope.get(CALLER, ANONYMOUS).role
    gzip = accepts_gzip(encodings)
    return ReadRequest(
        scope, started, role, key, accept.decode("latin-1"), is_conditional, is_private, gzip
    )


class ReadQuery(msgspec.Struct, frozen=True):
    """A parsed query: the page, the fields, and the format of the records.

    `most` is the limit of an export; None for all records, and for a page.
    """

    request: PageRequest
    fields: tuple[str, ...]
    format: Format
    parameters: Parameters
    most: int | None = None
    csv: CsvOptions = PLAIN_CSV

    @property
    def canonical(self) -> tuple[Any, ...]:
        """The query in one canonical form, however it was written."""
        r = self.request
        position = None if r.cursor is None else r.cursor.position
        parts = (r.filter.format(), r.sort.text, self.most, self.csv, self.fields)
        return (*parts, r.limit, r.offset, position, r.counting.value)


def takes_list(name: str) -> bool:
    """Return whether a parameter takes a list, and so may be given several times."""
    return name in _LISTS or name.rpartition("__")[2] in _LIST_OPERATORS


def read_query(
    dataset: Dataset[Any], parameters: Parameters, signer: CursorSigner, accept: str = ""
) -> ReadQuery:
    """Return the parsed query of a list of records; raise InvalidQuery.

    Raise Refusal if `accept` allows none of the formats.
    """
    controls, conditions = _split(dataset, parameters)
    filter = Filter.parse(dataset.fields, conditions)
    format = _format(controls["format"]) if "format" in controls else accepted(accept)
    sort = _sort(dataset, controls.get("sort", dataset.default_sort))
    request, most = _page_request(dataset, controls, format, signer, filter, sort)
    fields = _fields(dataset, controls["fields"]) if "fields" in controls else ()
    csv = PLAIN_CSV
    if not controls.keys().isdisjoint(_CSV_CONTROLS):
        csv = _csv_options(controls, format)
    if format is None:
        raise Refusal(
            "not_acceptable",
            "records are available as application/json, application/x-ndjson or text/csv",
        )
    return ReadQuery(request, fields, format, parameters, most, csv)


def _page_request(
    dataset: Dataset[Any],
    controls: Mapping[str, str],
    format: Format | None,
    signer: CursorSigner,
    filter: Filter,
    sort: Sort,
) -> tuple[PageRequest, int | None]:
    """Return the request for a page, and the limit of an export."""
    is_export = format is Format.NDJSON or format is Format.CSV
    limit = most = None
    if "limit" in controls:
        limit = _number(controls, "limit", _MOST_EXPORTED if is_export else MAX_LIMIT)
    if is_export:
        limit, most = None, limit
    offset = _number(controls, "offset", MAX_OFFSET) if "offset" in controls else 0
    counting = _counting(controls["count"]) if "count" in controls else Counting.NONE
    if is_export:
        _refuse_paging(offset, counting, controls)
    if offset and "cursor" in controls:
        raise MalformedQuery("offset", "cursor and offset exclude each other; give one")
    request = PageRequest(
        filter=filter,
        sort=sort,
        limit=DEFAULT_LIMIT if limit is None else limit,
        offset=offset,
        cursor=signer.read(records_of(dataset), controls["cursor"])
        if "cursor" in controls
        else None,
        counting=counting,
    )
    return request, most


def read_fields(dataset: Dataset[Any], parameters: Parameters) -> tuple[str, ...]:
    """Return the `fields` of a request for one record; raise UnknownParameter for any other."""
    for name, _ in parameters:
        if name != "fields":
            raise UnknownParameter(name, "the only parameter for one record is: fields")
    return _fields(dataset, parameters[0][1]) if parameters else ()


def _split(
    dataset: Dataset[Any], parameters: Parameters
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the control parameters and the conditions.

    A control parameter with an empty value counts as absent.
    """
    controls: dict[str, str] = {}
    conditions: list[tuple[str, str]] = []
    for name, value in parameters:
        if name in CONTROLS:
            if value:
                controls[name] = value
        elif name in dataset.fields or name.rpartition("__")[0] in dataset.fields:
            conditions.append((name, value))
        else:
            allowed = ", ".join([*CONTROLS, *dataset.fields])
            raise UnknownParameter(name, f"there is no such parameter; there are: {allowed}")
    return controls, conditions


def _refuse_paging(offset: int, counting: Counting, controls: Mapping[str, str]) -> None:
    """Raise MalformedQuery for paging parameters in an export, unless they have no effect."""
    given = {"offset": offset > 0, "cursor": "cursor" in controls}
    given["count"] = counting is not Counting.NONE
    for name, is_given in given.items():
        if is_given:
            detail = f"an export has all records, or the first ones; leave out {name}"
            raise MalformedQuery(name, detail)


def _number(controls: Mapping[str, str], name: str, most: int) -> int:
    text = controls[name]
    if not _DIGITS.fullmatch(text) or int(text) > most:
        raise InvalidValue(name, f"expected a whole number from 0 to {most}")
    return int(text)


def _format(text: str) -> Format:
    if text not in FORMATS:
        raise InvalidValue("format", f"expected one of {', '.join(FORMATS)}")
    return FORMATS[text]


def _counting(text: str) -> Counting:
    if text not in _COUNTINGS:
        raise InvalidValue("count", f"expected one of {', '.join(_COUNTINGS)}")
    return _COUNTINGS[text]


_COUNTINGS = {counting.value: counting for counting in Counting}


def _csv_options(controls: Mapping[str, str], format: Format | None) -> CsvOptions:
    """Return the options of CSV; raise MalformedQuery for one given with another format."""
    options = CsvOptions(
        _boolean(controls, "bom", PLAIN_CSV.bom),
        _delimiter(controls.get("delimiter", PLAIN_CSV.delimiter)),
        _boolean(controls, "guard", PLAIN_CSV.guard),
    )
    if format is not Format.CSV:
        for name in _CSV_CONTROLS:
            if getattr(options, name) != getattr(PLAIN_CSV, name):
                raise MalformedQuery(name, "applies to CSV only; add format=csv")
    return options


def _boolean(controls: Mapping[str, str], name: str, default: bool) -> bool:
    if name not in controls:
        return default
    try:
        return bool(Field(name, FieldType.BOOLEAN).parse_query(controls[name]))
    except ValueError as error:
        raise InvalidValue(name, str(error)) from error


def _delimiter(text: str) -> str:
    if text not in _DELIMITERS:
        names = ", ".join(DELIMITERS)
        raise InvalidValue("delimiter", f"expected one of {names}, or the character itself")
    return _DELIMITERS[text]


@lru_cache(maxsize=256)
def _sort(dataset: Dataset[Any], text: str) -> Sort:
    items = [item.strip() for item in text.split(",")]
    names = [item.removeprefix("-") for item in items if item]
    for name in names:
        if name not in dataset.fields or not dataset.fields[name].sortable:
            allowed = ", ".join(field.name for field in dataset.fields.values() if field.sortable)
            detail = f"cannot sort by {name[:ECHO]!r}; the sort fields are: {allowed}"
            raise UnknownParameter("sort", detail)
        if names.count(name) > 1:
            raise MalformedQuery("sort", f"sorts by {name} twice")
    return Sort.parse(dataset, text)


def _fields(dataset: Dataset[Any], text: str) -> tuple[str, ...]:
    """Return the chosen fields in the record's order, always with the key; () for all."""
    named = {item.strip() for item in text.split(",")} - {""}
    if not named:
        return ()
    wanted = named | {*dataset.key}
    for name in wanted:
        if name not in dataset.fields:
            allowed = ", ".join(dataset.fields)
            detail = f"there is no field {name[:ECHO]!r}; the fields are: {allowed}"
            raise UnknownParameter("fields", detail)
    if len(wanted) == len(dataset.fields):
        return ()
    return tuple([name for name in dataset.fields if name in wanted])


# ---------------------------------------------------------------- content negotiation

_ACCEPTED = {
    "application/json": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "text/csv": Format.CSV,
}


def accepted(accept: str) -> Format | None:
    """Return the format that an Accept header prefers, JSON among equals; None if none fits."""
    if accept in ("", "*/*", "application/json"):
        return Format.JSON
    best = best_match(accept, _ACCEPTED)
    return None if best is None else _ACCEPTED[best]
