"""The OpenAPI document: the routes of the framework, and the reads of every dataset.

The framework derives a route's description from its handler. The reads of a dataset are described
here from the `Dataset` value, because a field may have any name, such as `body` or `request`, and
so cannot be the parameter of a handler.
"""

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from adapters.http.datasets.query_string import Format
from adapters.http.openapi.parameters import (
    IF_NONE_MATCH,
    Json,
    condition_parameters,
    control_parameters,
    fields_parameter,
    schema_of,
)
from adapters.http.openapi.responses import (
    HEADERS,
    describe_responses,
    problem,
    require_what_is_sent,
)
from adapters.http.protocol.access import OPEN, Access, RoleGuard, access_of, routes_of
from adapters.http.protocol.bodies import FORM, MULTIPART, media_types_of
from adapters.http.protocol.problems import READING
from adapters.http.protocol.rate_limits import is_limited
from adapters.http.protocol.routing import Answer, dataset_of
from domain.dataset import Dataset, Role
from domain.users import Scope

_REFERENCE = "#/components/schemas/{name}"
#: The tags of operations and their descriptions.
_TAGS = {
    "overview": "Datasets, statistics and health.",
    "data": "The records of every dataset: pages, single records and exports.",
    "fetch": "Fetching from the sources, at once or as a job.",
    "tasks": "Tasks that users keep, enriched with facts from GitHub.",
    "auth": "Accounts, sessions and API tokens.",
    "users": "All users, their sessions and API tokens, for admins.",
    "points": "Data points, in the form of the telemetry API.",
    "quarantine": "Rejected records, and their replay.",
}
#: Descriptions of path parameters, by name.
_IN_PATH = {
    "dataset": "the name of a dataset",
    "job_id": "the identifier of a job",
    "task_id": "the identifier of a task",
    "token_id": "the identifier of an API token",
    "session_id": "the identifier of a session",
    "username": "the name of a user",
    "rejection_id": "the identifier of a rejected record",
}

#: The problems of a read besides those of any route, and the headers of its answers.
_PROBLEMS = (403, 404, 406, 422)
_RECORD_HEADERS = {"200": ("ETag", "Age"), "304": ("ETag", "Age")}
_LIST_HEADERS = {**_RECORD_HEADERS, "200": ("ETag", "Age", "Link", "Content-Disposition")}

#: The formats besides JSON.
_EXPORTS: Json = {
    Format.NDJSON.media_type: {"schema": {"type": "string"}},
    "text/csv": {"schema": {"type": "string"}},
}

_SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "the access_token of POST /auth/login, or a token of POST /auth/tokens;"
        " the latter also as the password of Basic authentication, with any username",
    }
}


def document(
    app: Litestar, guard: RoleGuard, datasets: Iterable[Dataset[Any]], default: str
) -> bytes:
    """Return the whole document as JSON."""
    schema: Json = app.openapi_schema.to_schema()
    paths = {path: item for path, item in schema["paths"].items() if not _internal(path)}
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for path, handler in routes_of(app):
        for method in handler.http_methods:
            operation = paths.get(_template(path), {}).get(method.lower())
            if operation is not None:
                _describe(operation, handler, components)
                operation["security"] = _security(access_of(handler) or OPEN, guard)
    require_what_is_sent(components, [handler for _, handler in routes_of(app)])
    datasets = list(datasets)
    _name_datasets(paths, [dataset.name for dataset in datasets])
    for dataset in datasets:
        name = _free_name(dataset, components)
        components.update(_components(dataset, name))
        lists = [f"/data/{dataset.name}"] + (["/data"] if dataset.name == default else [])
        reads = {path: _list_item(dataset, name, path) for path in lists}
        key = "/".join(f"{{{part}}}" for part in dataset.key)
        reads[f"/data/{dataset.name}/{key}"] = _record_item(dataset, name)
        for item in reads.values():
            item["get"]["security"] = _security(Access(dataset.read_by, Scope.READ), guard)
        paths.update(reads)
    for described in components.values():
        if "description" in described:  # Markdown shows an indented line as code
            described["description"] = cleandoc(described["description"])
    schema["components"]["securitySchemes"] = _SECURITY_SCHEMES
    schema["components"]["headers"] = HEADERS
    schema["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    schema["paths"] = dict(sorted(paths.items()))
    return msgspec.json.encode(schema)


def _internal(path: str) -> bool:
    return path.startswith("/docs")


def _template(path: str) -> str:
    """Return the path of a route without the types of its parameters."""
    return "/".join(
        f"{part.partition(':')[0]}}}" if ":" in part else part for part in path.split("/")
    )


def _security(access: Access, guard: RoleGuard) -> list[Json]:
    """Return the security of an operation: with a token, with or without one, or without.

    A token is listed with the scope that it needs, if it is an API token.
    """
    if not access.takes_token:
        return []
    bearer: Json = {"bearer": [] if access.scope is None else [access.scope]}
    return [bearer] if guard.least(access) is not Role.ANYONE else [{}, bearer]


# ---------------------------------------------------------------- routes of the framework


def _describe(operation: Json, handler: HTTPRouteHandler, components: Json) -> None:
    """Complete an operation with what the framework cannot derive from a handler."""
    parameters = [_parameter(each, components) for each in operation.get("parameters", ())]
    if dataset := dataset_of(handler):
        parameters += [*control_parameters(dataset), *condition_parameters(dataset)]
        _allow_parts(operation, dataset, components)
    if parameters:
        operation["parameters"] = parameters
    if (body := handler.parsed_data_field) is not None:
        content = _body(body.annotation, media_types_of(handler), components)
        operation["requestBody"] = {"required": not body.has_default, "content": content}
    answers = handler.responses or {}
    headers = {str(s): spec.headers for s, spec in answers.items() if isinstance(spec, Answer)}
    writes = not handler.http_methods <= READING
    describe_responses(operation, headers, writes=writes, is_limited=is_limited(handler))


def _parameter(parameter: Json, components: Json) -> Json:
    """Return a parameter without null in its schema: it is either given or absent."""
    schema = dict(parameter["schema"])
    schema.pop("description", None)
    if schema.get("default") == "":
        del schema["default"]  # how a handler recognises an absent header
    for choice in schema.pop("oneOf", ()):
        if choice != {"type": "null"}:
            schema |= choice
    if reference := schema.pop("$ref", None):
        named = components[reference.rpartition("/")[2]]
        schema |= {name: named[name] for name in ("type", "enum")}
    if isinstance(schema.get("type"), list):
        [schema["type"]] = [each for each in schema["type"] if each != "null"]
        schema["enum"] = [each for each in schema["enum"] if each is not None]
    if parameter["in"] == "path":
        meaning = parameter.get("description") or _IN_PATH.get(parameter["name"])
        return {**parameter, "description": meaning or "", "schema": schema}
    return {
        **{name: part for name, part in parameter.items() if part is not False},
        "schema": schema,
    }


def _body(kind: type[Any], media_types: Iterable[str], components: Json) -> Json:
    """Return the content of a body, with the patterns and closed schemas that the framework omits.

    Where a form is accepted as well as JSON, only JSON is described: some generators make broken
    clients for a body that may be either.
    """
    _, parts = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    components[kind.__name__] = _without_defaults(parts[kind.__name__])
    schema = {"$ref": _REFERENCE.format(name=kind.__name__)}
    return {
        media_type: {"schema": schema}
        for media_type in media_types
        if media_type not in (FORM, MULTIPART)
    }


def _without_defaults(body: Json) -> Json:
    """Return the schema of a body with its defaults in words.

    Of a field with a default some generators make one that has to be sent.
    """
    for field in body["properties"].values():
        if (default := field.pop("default", None)) is not None:
            field["description"] = f"`{default}` unless it is given"
    return body


def _name_datasets(paths: Json, names: list[str]) -> None:
    """List the names of datasets in every parameter that takes one."""
    for item in paths.values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "dataset":
                    parameter["schema"] = {"type": "string", "enum": names}


def _allow_parts(operation: Json, dataset: Dataset[Any], components: Json) -> None:
    """Allow records of a page to lack all fields but the key, because of `fields=`."""
    name = f"{dataset.record.__name__}Part"
    whole = components[dataset.row.__name__]
    components[name] = {**whole, "title": name, "required": list(dataset.key)}
    content = operation["responses"]["200"]["content"]
    page = content[Format.JSON.media_type]["schema"]["$ref"]
    content |= _EXPORTS
    listed = components[page.rpartition("/")[2]]["properties"]["data"]
    listed["items"] = {"$ref": _REFERENCE.format(name=name)}


# ---------------------------------------------------------------- schemas


def _free_name(dataset: Dataset[Any], taken: Json) -> str:
    """Return the record's name, with the dataset's if another schema has that name."""
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
        # `fields=` may omit all but the key.
        name: {"type": "object", "properties": record, "required": list(dataset.key)},
        f"{name}Page": _object(many),
        f"{name}Answer": _object({"data": one, "meta": _object(meta), **ending}),
    }


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


# ---------------------------------------------------------------- paths


def _list_item(dataset: Dataset[Any], name: str, path: str) -> Json:
    page = {"schema": {"$ref": f"#/components/schemas/{name}Page"}}
    records = {Format.JSON.media_type: page, **_EXPORTS}
    parameters = [*control_parameters(dataset), *condition_parameters(dataset), IF_NONE_MATCH]
    operation = f"read_{path.strip('/').replace('/', '_')}"
    read = _read(operation, f"List {dataset.name}", parameters, records)
    read["description"] = _described(
        dataset,
        "Return the records that match: a page as JSON, or all of them as NDJSON or CSV.",
    )
    describe_responses(read, _LIST_HEADERS)
    return {"get": read}


def _record_item(dataset: Dataset[Any], name: str) -> Json:
    record = {Format.JSON.media_type: {"schema": {"$ref": f"#/components/schemas/{name}Answer"}}}
    key = [
        {
            "name": part,
            "in": "path",
            "required": True,
            "description": f"`{part}`, part of the key" if dataset.key[1:] else "the key",
            "schema": schema_of(dataset.fields[part], nullable=False),
        }
        for part in dataset.key
    ]
    parameters = [*key, fields_parameter(dataset), IF_NONE_MATCH]
    operation, summary = f"read_one_of_{dataset.name}", f"Get one of {dataset.name}"
    read = _read(operation, summary, parameters, record)
    read["description"] = _described(dataset, "Return the record with this key.")
    describe_responses(read, _RECORD_HEADERS)
    return {"get": read}


def _described(dataset: Dataset[Any], text: str) -> str:
    return f"{dataset.about.strip()}\n\n{text}" if dataset.about else text


def _read(operation: str, summary: str, parameters: list[Json], content: Json) -> Json:
    responses: Json = {
        "200": {"description": "Records", "content": content},
        "304": {"description": "Nothing has changed since the answer with that ETag"},
        **{str(status): problem(status) for status in _PROBLEMS},
    }
    return {
        "operationId": operation,
        "summary": summary,
        "tags": ["data"],
        "parameters": parameters,
        "responses": responses,
    }
