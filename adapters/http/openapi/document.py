"""The OpenAPI document: the routes Litestar knows, and every dataset's reads made by hand.

A dataset may have a field of any name, `body` or `request` too, so its parameters cannot be those
of a Python function: they are described here from the `Dataset` value.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar import Litestar

from adapters.http.datasets.query_string import Format
from adapters.http.openapi import accounts as openapi_accounts
from adapters.http.openapi import fetches as openapi_fetches
from adapters.http.openapi import tasks as openapi_tasks
from adapters.http.openapi.parameters import (
    IF_NONE_MATCH,
    Json,
    condition_parameters,
    control_parameters,
    fields_parameter,
    schema_of,
)
from adapters.http.openapi.responses import HEADERS, describe_answers, problem
from adapters.http.openapi.security import SECURITY_SCHEMES, describe_access, guard
from adapters.http.protocol.access import Access, RoleGuard
from adapters.http.protocol.problems import Problem
from domain.dataset import Dataset

_REFERENCE = "#/components/schemas/{name}"
_BY_HAND = {**openapi_fetches.BY_HAND, **openapi_tasks.BY_HAND}
_BODIES = {**openapi_accounts.BODIES, **openapi_tasks.BODIES}
#: Bodies that may be left out.
_OPTIONAL = openapi_accounts.OPTIONAL
#: What a read may answer besides what any route may.
_PROBLEMS = (403, 404, 406, 422)
#: Identifiers in paths, and what they look like; others are those of nothing.
_IDENTIFIERS = ("job_id", "task_id", "token_id")
_IDENTIFIER: Json = {"type": "string", "pattern": "^[0-9a-f]{32}$"}


def document(
    app: Litestar, gate: RoleGuard, datasets: Iterable[Dataset[Any]], default: str
) -> bytes:
    """The whole document as JSON."""
    schema: Json = app.openapi_schema.to_schema()
    paths = {path: item for path, item in schema["paths"].items() if not _internal(path)}
    for (path, method), parameters in _BY_HAND.items():
        operation = paths[path][method]
        operation["parameters"] = [*operation.get("parameters", ()), *parameters]
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    _add(components, Problem)
    openapi_tasks.describe_parts(components)
    for (path, method), kinds in _BODIES.items():
        content = {media: {"schema": _add(components, kind)} for media, kind in kinds.items()}
        required = (path, method) not in _OPTIONAL
        paths[path][method]["requestBody"] = {"required": required, "content": content}
    datasets = list(datasets)
    names: Json = {"type": "string", "enum": [dataset.name for dataset in datasets]}
    _narrow(paths, {**dict.fromkeys(_IDENTIFIERS, _IDENTIFIER), "dataset": names})
    for dataset in datasets:
        name = _free_name(dataset, components)
        components.update(_components(dataset, name))
        where = [f"/data/{dataset.name}"] + (["/data"] if dataset.name == default else [])
        reads = {path: _list_item(dataset, name, path) for path in where}
        key = "/".join(f"{{{part}}}" for part in dataset.key)
        reads[f"/data/{dataset.name}/{key}"] = _record_item(dataset, name)
        for item in reads.values():
            guard(item["get"], Access(dataset.read_by), gate)
        paths.update(reads)
    describe_access(paths, app, gate)
    describe_answers(paths)
    schema["components"]["securitySchemes"] = SECURITY_SCHEMES
    schema["components"]["headers"] = HEADERS
    schema["paths"] = dict(sorted(paths.items()))
    return msgspec.json.encode(schema)


def _add(components: Json, kind: type[Any]) -> Any:
    """The schema of a type; what it refers to is added to the components."""
    [schema], parts = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    components.update({name: part for name, part in parts.items() if name not in components})
    return schema


def _internal(path: str) -> bool:
    return path.startswith("/docs")


def _narrow(paths: Json, schemas: Json) -> None:
    """Say more of parameters, by their names, than the framework knows."""
    for item in paths.values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = schemas.get(parameter["name"], parameter["schema"])


# ---------------------------------------------------------------- schemas


def _free_name(dataset: Dataset[Any], taken: Json) -> str:
    """The record's name, or one made with the dataset's where another schema is called that."""
    name = dataset.record.__name__
    return f"{name}_{dataset.name}" if {name, f"{name}Page", f"{name}Answer"} & {*taken} else name


def _components(dataset: Dataset[Any], name: str) -> Json:
    record = {f.name: schema_of(f) for f in dataset.fields.values()}
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


# ---------------------------------------------------------------- paths


def _list_item(dataset: Dataset[Any], name: str, path: str) -> Json:
    records = {
        Format.JSON.media_type: {"schema": {"$ref": f"#/components/schemas/{name}Page"}},
        Format.NDJSON.media_type: {"schema": {"type": "string"}},
        "text/csv": {"schema": {"type": "string"}},
    }
    parameters = [*control_parameters(dataset), *condition_parameters(dataset), IF_NONE_MATCH]
    operation = f"read_{path.strip('/').replace('/', '_')}"
    summary = f"Read {dataset.name}"
    return _methods(operation, summary, parameters, records)


def _record_item(dataset: Dataset[Any], name: str) -> Json:
    record = {Format.JSON.media_type: {"schema": {"$ref": f"#/components/schemas/{name}Answer"}}}
    key = [
        {
            "name": part,
            "in": "path",
            "required": True,
            "schema": schema_of(dataset.fields[part], nullable=False),
        }
        for part in dataset.key
    ]
    parameters = [*key, fields_parameter(dataset), IF_NONE_MATCH]
    operation, summary = f"read_one_of_{dataset.name}", f"One of {dataset.name}"
    return _methods(operation, summary, parameters, record)


def _methods(operation: str, summary: str, parameters: list[Json], content: Json) -> Json:
    responses: Json = {
        "200": {"description": "Records", "content": content},
        "304": {"description": "Nothing has changed since the answer with that ETag"},
        **{str(status): problem(status) for status in _PROBLEMS},
    }
    read: Json = {
        "operationId": operation,
        "summary": summary,
        "tags": ["data"],
        "parameters": parameters,
        "responses": responses,
    }
    return {"get": read}
