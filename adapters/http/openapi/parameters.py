"""The parameters of a dataset's reads in the OpenAPI document.

Descriptions are Markdown, so literals are between backticks.
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
    Operator.CONTAINS: "contains this text",
    Operator.ICONTAINS: "contains this text; A-Z and a-z are the same",
    Operator.STARTSWITH: "begins with this text",
    Operator.HAS: "the list contains this",
}

#: Text in a query, and one text of a list, where a comma is written `\\,`.
_TEXT: Json = {"type": "string", "pattern": r"^[^\u0000]*$"}
_ITEM: Json = {"type": "string", "pattern": r"^(?:[^\u0000,\\]|\\[^\u0000])*$"}

#: The limit of records, without a default, because a page and an export have different ones.
LIMIT: Json = {"type": "integer", "minimum": 0, "maximum": MAX_LIMIT}


def in_query(name: str, description: str, schema: Json) -> Json:
    """Return a query parameter; the values of a list are separated by commas."""
    listed = {"style": "form", "explode": False} if schema["type"] == "array" else {}
    return {"name": name, "in": "query", "description": description, **listed, "schema": schema}


IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "the ETag of an earlier answer; 304 if it is still current",
    "schema": {"type": "string"},
}


def fields_parameter(dataset: Dataset[Any]) -> Json:
    """Return the parameter that chooses the fields."""
    text = "show these fields only, and always the key"
    return in_query("fields", text, _some_of(list(dataset.fields)))


def control_parameters(dataset: Dataset[Any]) -> list[Json]:
    """Return the control parameters: order, fields, paging and format."""
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
            f"records on a page, {DEFAULT_LIMIT} by default; `0` for the count only. In an export,"
            " the number of first records, without a maximum; all of them by default",
            LIMIT,
        ),
        "offset": in_query(
            "offset",
            "records to skip; a cursor is faster",
            {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
        ),
        "cursor": in_query("cursor", "next_cursor of the previous page", {"type": "string"}),
        "count": in_query(
            "count",
            "whether to count all records that match",
            {"type": "string", "enum": [c.value for c in Counting], "default": "none"},
        ),
        "format": in_query(
            "format",
            "format of the records; `ndjson`, `jsonl` and `csv` export all that match",
            {"type": "string", "enum": list(FORMATS), "default": Format.JSON.value},
        ),
        **_CSV_PARAMETERS,
    }
    return [controls[name] for name in CONTROLS]


#: The options of CSV, without a schema default, so that no client sends one with another format.
_CSV_PARAMETERS = {
    "bom": in_query(
        "bom",
        "whether CSV begins with a byte order mark, which tells Excel that it is UTF-8; `false` by"
        " default",
        {"type": "boolean"},
    ),
    "delimiter": in_query(
        "delimiter",
        "the delimiter of CSV; `comma` by default",
        {"type": "string", "enum": list(DELIMITERS)},
    ),
    "guard": in_query(
        "guard",
        "whether text that a spreadsheet would run as a formula gets an apostrophe in front; `true`"
        " by default",
        {"type": "boolean"},
    ),
}


def condition_parameters(dataset: Dataset[Any]) -> list[Json]:
    """Return a parameter for every operator of every field."""
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
    """Return the schema of a field's values."""
    schema = dict(_SCHEMA[field.type])
    if field.choices:
        schema["enum"] = list(field.choices)
    if nullable and field.nullable:
        schema["type"] = [schema["type"], "null"]
        if field.choices:
            schema["enum"] = [*field.choices, None]
    return schema
