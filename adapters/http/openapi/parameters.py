"""The parameters of a dataset's reads, as the OpenAPI document describes them.

Descriptions are Markdown: what must be shown as it is written stands between backticks.
"""

from typing import Any

from adapters.http.datasets.query_string import CONTROLS, DELIMITERS, FORMATS, Format
from domain.dataset import Dataset
from domain.fields import Field, FieldType
from domain.filters import MAX_VALUES, Operator, operators_of
from domain.paging import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, Counting

Json = dict[str, Any]

_SCHEMA: dict[FieldType, Json] = {
    FieldType.INTEGER: {"type": "integer", "format": "int64"},
    FieldType.NUMBER: {"type": "number", "format": "double"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.TIME: {"type": "string", "format": "date-time"},
    FieldType.TEXT: {"type": "string"},
    FieldType.CHOICE: {"type": "string"},
    FieldType.TEXTS: {"type": "array", "items": {"type": "string"}},
}

_MEANING: dict[Operator, str] = {
    Operator.EQ: "equal to this",
    Operator.NE: "not equal to this; a missing value matches",
    Operator.LT: "less than this",
    Operator.LTE: "at most this",
    Operator.GT: "greater than this",
    Operator.GTE: "at least this",
    Operator.IN: "one of these (`\\,` is a comma within one)",
    Operator.NIN: "none of these; a missing value matches",
    Operator.BETWEEN: "between these two, both included",
    Operator.ISNULL: "missing (true) or present (false)",
    Operator.CONTAINS: "holds this text",
    Operator.ICONTAINS: "holds this text; A-Z and a-z are the same",
    Operator.STARTSWITH: "begins with this text",
    Operator.HAS: "the list holds this",
}

#: Text as a query may hold it, and one value among several: there a comma is written `\\,`.
_TEXT: Json = {"type": "string", "pattern": r"^[^\u0000]*$"}
_ITEM: Json = {"type": "string", "pattern": r"^(?:[^\u0000,\\]|\\[^\u0000])*$"}

#: How many records there may be. There is no default, for that of an export is all of them.
LIMIT: Json = {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT}


def in_query(name: str, description: str, schema: Json) -> Json:
    """A parameter of the query; several values have commas between them."""
    listed = {"style": "form", "explode": False} if schema["type"] == "array" else {}
    return {"name": name, "in": "query", "description": description, **listed, "schema": schema}


IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "the ETag of an earlier answer; 304 when it still holds",
    "schema": {"type": "string"},
}


def fields_parameter(dataset: Dataset[Any]) -> Json:
    """The parameter that chooses which fields are shown."""
    text = "show these fields only, and always the key"
    return in_query("fields", text, _some_of(list(dataset.fields)))


def control_parameters(dataset: Dataset[Any]) -> list[Json]:
    """The parameters that steer a page whatever is asked for."""
    sortable = [field.name for field in dataset.fields.values() if field.sortable]
    terms = [term for name in sortable for term in (name, f"-{name}")]
    sort = {**_some_of(terms), "uniqueItems": True}
    if dataset.default_sort:
        sort["default"] = dataset.default_sort.split(",")
    controls = {
        "sort": in_query("sort", "fields to sort by, with `-` before one for descending", sort),
        "fields": fields_parameter(dataset),
        "limit": in_query(
            "limit",
            f"records on a page, {DEFAULT_LIMIT} unless it is given; `0` for the count alone. In an"
            " export the first records of it, as many as you like, and all unless it is given",
            LIMIT,
        ),
        "offset": in_query(
            "offset",
            "records to pass over; a cursor is better",
            {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
        ),
        "cursor": in_query("cursor", "next_cursor of the page before", {"type": "string"}),
        "count": in_query(
            "count",
            "whether to count all records that match",
            {"type": "string", "enum": [c.value for c in Counting], "default": "none"},
        ),
        "format": in_query(
            "format",
            "how records are written; `ndjson`, `jsonl` and `csv` are the whole answer, streamed",
            {"type": "string", "enum": list(FORMATS), "default": Format.JSON.value},
        ),
        **_CSV_PARAMETERS,
    }
    return [controls[name] for name in CONTROLS]


#: How CSV is written. None of them has a default, so that no client sends one with another format.
_CSV_PARAMETERS = {
    "bom": in_query(
        "bom",
        "whether CSV begins with a byte order mark, by which Excel sees that it is UTF-8;"
        " `false` unless it is given",
        {"type": "boolean"},
    ),
    "delimiter": in_query(
        "delimiter",
        "what stands between the cells of CSV; `comma` unless it is given",
        {"type": "string", "enum": list(DELIMITERS)},
    ),
    "guard": in_query(
        "guard",
        "whether CSV has an apostrophe before text that a spreadsheet would run as a formula;"
        " `true` unless it is given",
        {"type": "boolean"},
    ),
}


def condition_parameters(dataset: Dataset[Any]) -> list[Json]:
    """One parameter for every operator of every field."""
    parameters = []
    for field in dataset.fields.values():
        for operator in operators_of(field):
            plain = operator in (Operator.EQ, Operator.HAS) and field.name not in CONTROLS
            name = field.name if plain else f"{field.name}__{operator}"
            schema = _operand(field, operator)
            parameters.append(in_query(name, f"`{field.name}`: {_MEANING[operator]}", schema))
    return parameters


def _operand(field: Field, operator: Operator) -> Json:
    if operator is Operator.ISNULL:
        return {"type": "boolean"}
    if operator.takes_list:
        least, most = (2, 2) if operator is Operator.BETWEEN else (1, MAX_VALUES)
        item = _ITEM if field.type is FieldType.TEXT else schema_of(field, nullable=False)
        return {"type": "array", "items": item, "minItems": least, "maxItems": most}
    if field.type in (FieldType.TEXT, FieldType.TEXTS):
        return _TEXT
    return schema_of(field, nullable=False)


def _some_of(names: list[str]) -> Json:
    return {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1}


def schema_of(field: Field, nullable: bool = True) -> Json:
    """The schema of a field's value."""
    schema = dict(_SCHEMA[field.type])
    if field.choices:
        schema["enum"] = list(field.choices)
    if nullable and field.nullable:
        schema["type"] = [schema["type"], "null"]
        if field.choices:
            schema["enum"] = [*field.choices, None]
    return schema
