"""The OpenAPI document: the routes Litestar knows, and every dataset's reads made by hand.

A dataset may have a field of any name, `body` or `request` too, so its parameters cannot be those
of a Python function: they are described here from the `Dataset` value.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar

from adapters.http.problems import MEDIA_TYPE, Problem
from adapters.http.question import CONTROLS, Format
from domain.dataset import Dataset
from domain.fields import Field, FieldType
from domain.filters import Operator, operators_of
from domain.paging import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, Counting

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_PROBLEMS = (400, 401, 403, 404, 405, 406, 414, 422, 431, 500, 503)

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
    Operator.IN: "one of these, with commas between them (\\, is a comma)",
    Operator.NIN: "none of these; a missing value matches",
    Operator.BETWEEN: "between these two, both included",
    Operator.ISNULL: "missing (true) or present (false)",
    Operator.CONTAINS: "holds this text",
    Operator.ICONTAINS: "holds this text; A-Z and a-z are the same",
    Operator.STARTSWITH: "begins with this text",
    Operator.HAS: "the list holds this",
}


def document(app: Litestar, datasets: Iterable[Dataset[Any]], default: str) -> bytes:
    """The whole document as JSON."""
    schema: Json = app.openapi_schema.to_schema()
    paths = {path: item for path, item in schema["paths"].items() if not _internal(path)}
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    _, problem = msgspec.json.schema_components([Problem], ref_template=_REFERENCE)
    components.update({name: part for name, part in problem.items() if name not in components})
    for dataset in datasets:
        name = _free_name(dataset, components)
        components.update(_components(dataset, name))
        where = [f"/data/{dataset.name}"] + (["/data"] if dataset.name == default else [])
        for path in where:
            paths[path] = _list_item(dataset, name, path)
        key = "/".join(f"{{{part}}}" for part in dataset.key)
        paths[f"/data/{dataset.name}/{key}"] = _record_item(dataset, name)
    schema["paths"] = dict(sorted(paths.items()))
    return msgspec.json.encode(schema)


def _internal(path: str) -> bool:
    return path.startswith("/docs")


# ---------------------------------------------------------------- schemas


def _free_name(dataset: Dataset[Any], taken: Json) -> str:
    """The record's name, or one made with the dataset's where another schema is called that."""
    name = dataset.record.__name__
    return f"{name}_{dataset.name}" if {name, f"{name}Page", f"{name}Answer"} & {*taken} else name


def _components(dataset: Dataset[Any], name: str) -> Json:
    record = {f.name: _schema(f) for f in dataset.fields.values()}
    page = {
        "limit": {"type": "integer"},
        "offset": {"type": "integer"},
        "next_cursor": {"type": ["string", "null"]},
        "has_more": {"type": "boolean"},
        "total": {"type": ["integer", "null"]},
        "total_relation": {"enum": ["eq", "gte", None]},
    }
    meta = {
        "dataset": {"const": dataset.name},
        "seq": {"type": "integer"},
        "fetched_at": {"type": ["string", "null"], "format": "date-time"},
        "next_fetch_at": {"type": ["string", "null"], "format": "date-time"},
        "sources": {"type": "array", "items": {"type": "string"}},
    }
    ending = {
        "stale": {"type": "boolean"},
        "request_id": {"type": "string"},
        "api_latency_ms": {"type": "number"},
    }
    one = {"$ref": f"#/components/schemas/{name}"}
    many = {
        "data": {"type": "array", "items": one},
        "count": {"type": "integer"},
        "page": _object(page),
        "meta": _object(meta),
        **ending,
    }
    return {
        # `fields=` may leave out all but the key.
        name: {"type": "object", "properties": record, "required": list(dataset.key)},
        f"{name}Page": _object(many),
        f"{name}Answer": _object({"data": one, "meta": _object(meta), **ending}),
    }


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _schema(field: Field, nullable: bool = True) -> Json:
    schema = dict(_SCHEMA[field.type])
    if field.choices:
        schema["enum"] = list(field.choices)
    if nullable and field.nullable:
        schema["type"] = [schema["type"], "null"]
        if field.choices:
            schema["enum"] = [*field.choices, None]
    return schema


# ---------------------------------------------------------------- paths


def _list_item(dataset: Dataset[Any], name: str, path: str) -> Json:
    records = {
        Format.JSON.media_type: {"schema": {"$ref": f"#/components/schemas/{name}Page"}},
        Format.NDJSON.media_type: {"schema": {"type": "string"}},
        "text/csv": {"schema": {"type": "string"}},
    }
    parameters = [*_controls(dataset), *_conditions(dataset), _IF_NONE_MATCH]
    operation = f"read_{path.strip('/').replace('/', '_')}"
    return _methods(operation, f"Read {dataset.name}", parameters, records)


def _record_item(dataset: Dataset[Any], name: str) -> Json:
    record = {Format.JSON.media_type: {"schema": {"$ref": f"#/components/schemas/{name}Answer"}}}
    key = [
        {
            "name": part,
            "in": "path",
            "required": True,
            "schema": _schema(dataset.fields[part], nullable=False),
        }
        for part in dataset.key
    ]
    parameters = [*key, _fields(dataset), _IF_NONE_MATCH]
    return _methods(f"read_one_of_{dataset.name}", f"One of {dataset.name}", parameters, record)


def _methods(operation: str, summary: str, parameters: list[Json], content: Json) -> Json:
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses: Json = {
        "200": {"description": "Records", "content": content},
        "304": {"description": "Nothing has changed since the answer with that ETag"},
        **{
            str(status): {"description": HTTPStatus(status).phrase, "content": problem}
            for status in _PROBLEMS
        },
    }
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "tags": ["data"],
            "parameters": parameters,
            "responses": responses,
        }
    }


_IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "the ETag of an earlier answer; 304 when it still holds",
    "schema": {"type": "string"},
}


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _fields(dataset: Dataset[Any]) -> Json:
    names = ", ".join(dataset.fields)
    text = f"show these fields only, and always the key; there are: {names}"
    return _query("fields", text, {"type": "string"})


def _controls(dataset: Dataset[Any]) -> list[Json]:
    sortable = ", ".join(field.name for field in dataset.fields.values() if field.sortable)
    controls = {
        "sort": _query(
            "sort",
            f"fields to sort by, - before one for descending; there are: {sortable}",
            {"type": "string", "default": dataset.default_sort},
        ),
        "fields": _fields(dataset),
        "limit": _query(
            "limit",
            "records on a page",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        ),
        "offset": _query(
            "offset",
            "records to pass over; a cursor is better",
            {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
        ),
        "cursor": _query("cursor", "next_cursor of the page before", {"type": "string"}),
        "count": _query(
            "count",
            "whether to count all records that match",
            {"type": "string", "enum": [c.value for c in Counting], "default": "none"},
        ),
        "format": _query(
            "format",
            "how records are written; ndjson and csv are the whole answer, streamed",
            {"type": "string", "enum": [f.value for f in Format], "default": "json"},
        ),
    }
    return [controls[name] for name in CONTROLS]


def _conditions(dataset: Dataset[Any]) -> list[Json]:
    parameters = []
    for field in dataset.fields.values():
        for operator in operators_of(field):
            plain = operator in (Operator.EQ, Operator.HAS) and field.name not in CONTROLS
            name = field.name if plain else f"{field.name}__{operator}"
            schema = _operand(field, operator)
            parameters.append(_query(name, f"{field.name}: {_MEANING[operator]}", schema))
    return parameters


def _operand(field: Field, operator: Operator) -> Json:
    if operator is Operator.ISNULL:
        return {"type": "boolean"}
    if operator is Operator.HAS or operator.takes_list:
        return {"type": "string"}
    return _schema(field, nullable=False)
