"""The OpenAPI document: valid, complete, and true to the routes."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from adapters.http.datasets.query_string import CONTROLS
from domain.dataset import Dataset
from domain.fields import FieldType
from domain.filters import Operator, operators_of
from tests.adapters.http.http_fixture import GAUGES, POSTS, HttpFixture, gauges_dataset, posts

Json = dict[str, Any]
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}

#: Every route but those of the documentation itself.
ROUTES = {
    "/",
    "/api/data",
    "/api/populate",
    "/auth/login",
    "/auth/logout",
    "/auth/me",
    "/auth/password",
    "/auth/refresh",
    "/auth/sessions",
    "/auth/sessions/{session_id}",
    "/auth/signup",
    "/auth/tokens",
    "/auth/tokens/{token_id}",
    "/data",
    "/data/gauges",
    "/data/gauges/{station}/{number}",
    "/data/posts",
    "/data/posts/{id}",
    "/datasets",
    "/fetch",
    "/fetch/jobs",
    "/fetch/status/{job_id}",
    "/fetch/{dataset}",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/stats",
    "/tasks",
    "/tasks/{task_id}",
    "/users",
    "/users/{username}",
    "/users/{username}/sessions",
    "/users/{username}/sessions/{session_id}",
    "/users/{username}/tokens",
    "/users/{username}/tokens/{token_id}",
    "/quarantine",
    "/quarantine/replay",
    "/quarantine/{rejection_id}/replay",
}


@pytest.fixture
async def document(client: httpx.AsyncClient) -> Json:
    """Return the document as it is served."""
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield every operation with its method and path."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def references(part: Any) -> Iterator[str]:
    """Yield every reference in a part of the document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    if isinstance(part, list):
        for value in part:
            yield from references(value)


def parameters(document: Json, path: str) -> dict[str, Json]:
    """Return the query parameters of a path's GET, by name."""
    listed = document["paths"][path]["get"]["parameters"]
    return {p["name"]: p for p in listed if p["in"] == "query"}


# ---------------------------------------------------------------- structure


def assert_sound(document: Json) -> None:
    """Check the structure of the document against OpenAPI 3.1."""
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version"} <= document["info"].keys()
    for reference in references(document):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in found, reference
            found = found[step]
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for name in document["components"]["schemas"]:
        assert re.fullmatch(r"[a-zA-Z0-9._-]+", name)
    for method, path, operation in operations(document):
        assert method in METHODS
        assert path.startswith("/")
        assert_sound_operation(path, operation)


def assert_sound_operation(path: str, operation: Json) -> None:
    """Check an operation against OpenAPI 3.1."""
    given = operation.get("parameters", [])
    places = [(parameter["name"], parameter["in"]) for parameter in given]
    assert len(places) == len(set(places))
    in_path = {name for name, place in places if place == "path"}
    assert in_path == set(re.findall(r"{([^}]+)}", path))
    for parameter in given:
        assert parameter["in"] in {"query", "header", "path"}
        assert parameter["schema"]
        assert parameter["in"] != "path" or parameter["required"] is True
    assert operation["responses"]
    for status, response in operation["responses"].items():
        assert re.fullmatch(r"[1-5][0-9][0-9]", status)
        assert response["description"]


async def test_the_document_is_sound(document: Json) -> None:
    assert_sound(document)


# ---------------------------------------------------------------- descriptions and patterns


def parts(document: Any, name: str) -> Iterator[Any]:
    """Yield every value of that name in the document."""
    if isinstance(document, dict):
        if isinstance(document.get(name), str):
            yield document[name]
        for value in document.values():
            yield from parts(value, name)
    if isinstance(document, list):
        for value in document:
            yield from parts(value, name)


async def test_every_pattern_is_read_by_python_and_by_ecma(document: Json) -> None:
    for pattern in parts(document, "pattern"):
        re.compile(pattern)
        # Syntax that only one of them has, or reads differently.
        assert not re.search(r"\\[pPkAZ]|\(\?P|\(\?<|\\u\{|\(\?[aiLmsux]", pattern), pattern


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("backup script", True),
        ("Zürich 東京 🚀", True),
        ("a\u00adb", False),
        ("a\u200bb", False),
        ("a\u202eb", False),
        ("a\nb", False),
        ("a\u00a0b", False),
        ("", False),
    ],
)
async def test_the_pattern_of_a_token_s_name_is_what_is_accepted(
    document: Json, name: str, is_one: bool
) -> None:
    fields = document["components"]["schemas"]["TokenRequest"]["properties"]
    [pattern] = parts(fields["name"], "pattern")

    assert bool(re.search(pattern, name)) is is_one
    assert (name.isprintable() and name != "") is is_one


async def test_descriptions_show_what_they_say(document: Json) -> None:
    for text in parts(document, "description"):
        plain = re.sub(r"`[^`]+`", "", text)
        # Markdown would swallow these, or the text between two of them.
        assert not re.search(r"[\\<*`\[\]&#]|(^|\W)_|_(\W|$)|\n[ \t]", plain), text


async def test_every_operation_has_a_name_that_a_client_can_call(document: Json) -> None:
    names = {operation["operationId"] for _, _, operation in operations(document)}

    assert names >= {
        "log_in",
        "refresh",
        "fetch",
        "fetch_dataset",
        "create_task",
        "read_data_posts",
    }
    for name in names:
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name)


async def test_every_operation_and_parameter_and_tag_is_described(document: Json) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = set()
    for method, path, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        used |= {*operation["tags"]}
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (method, path, parameter["name"])
    assert used == tags.keys()
    assert all(tags.values())


@pytest.mark.parametrize("path", ["/auth/login", "/auth/refresh"])
async def test_a_body_that_may_be_a_form_is_shown_as_json_alone(document: Json, path: str) -> None:
    operation = document["paths"][path]["post"]

    [(media_type, media)] = operation["requestBody"]["content"].items()
    assert media_type == "application/json"
    assert media["schema"]["$ref"].startswith("#/components/schemas/")
    assert "form" in operation["description"]


async def test_the_paths_are_the_routes_that_exist(document: Json) -> None:
    # `test_access.py` calls each of them.
    assert set(document["paths"]) == ROUTES


async def test_no_route_exists_that_is_not_in_the_document(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/api/tasks"):
        assert (await client.get(path)).status_code == 404


async def test_the_document_does_not_depend_on_how_it_was_requested(document: Json) -> None:
    text = msgspec.json.encode(document).decode()

    assert not re.search(r"https?://(?!json-schema|spec\.openapis)", text)


# ---------------------------------------------------------------- parameters


TEXT = {"type": "string", "pattern": r"^[^\u0000]*$"}
TYPES = {
    FieldType.INTEGER: {"type": "integer", "format": "int64"},
    FieldType.NUMBER: {"type": "number", "format": "double"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.TIME: {"type": "string", "format": "date-time"},
    FieldType.TEXT: TEXT,
    FieldType.CHOICE: {"type": "string", "enum": ["dry", "wet", "-frozen"]},
    FieldType.TEXTS: TEXT,
}
ITEM = {"type": "string", "pattern": r"^(?:[^\u0000,\\]|\\[^\u0000])*$"}


@pytest.mark.parametrize("dataset", [POSTS, GAUGES], ids=lambda dataset: dataset.name)
async def test_every_filter_is_a_typed_parameter(document: Json, dataset: Dataset[Any]) -> None:
    given = parameters(document, f"/data/{dataset.name}")

    expected = set(CONTROLS)
    for field in dataset.fields.values():
        for operator in operators_of(field):
            hidden = field.name in CONTROLS
            plain = operator in (Operator.EQ, Operator.HAS) and not hidden
            name = field.name if plain else f"{field.name}__{operator}"
            expected.add(name)
            schema = TYPES[field.type]
            if operator is Operator.ISNULL:
                schema = {"type": "boolean"}
            if operator.takes_list:
                item = ITEM if field.type is FieldType.TEXT else schema
                least, most = (2, 2) if operator is Operator.BETWEEN else (1, 200)
                schema = {"type": "array", "items": item, "minItems": least, "maxItems": most}
                # With commas between the values, and not a parameter for each.
                assert (given[name]["style"], given[name]["explode"]) == ("form", False)
            assert given[name]["schema"] == schema
            assert given[name]["description"]
    assert set(given) == expected


@pytest.mark.parametrize("path", ["/fetch", "/fetch/{dataset}"])
async def test_what_steers_a_fetch_is_documented(document: Json, path: str) -> None:
    listed = document["paths"][path]["post"]["parameters"]

    given = {(p["in"], p["name"]): p["schema"] for p in listed if p["in"] != "path"}
    key = given.pop(("header", "Idempotency-Key"))
    assert given == {
        ("query", "mode"): {"type": "string", "enum": ["sync", "task"], "default": "sync"},
        ("query", "force"): {"type": "boolean", "default": False},
        ("header", "Prefer"): {"type": "string"},
    }
    assert key["type"] == "string"


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("a" * 255, True),
        ("a" * 256, False),
        ("~!", True),
        ('a"b', True),
        (r'"a\"b"', True),
        ('"a"b"', False),
        ('""', False),
        ("a b", False),
    ],
)
@pytest.mark.usefixtures("fixture")
async def test_the_pattern_of_an_idempotency_key_is_what_is_accepted(
    client: httpx.AsyncClient, document: Json, key: str, is_one: bool
) -> None:
    listed = document["paths"]["/fetch"]["post"]["parameters"]
    [pattern] = [p["schema"]["pattern"] for p in listed if p["name"] == "Idempotency-Key"]

    answer = await client.post("/fetch", headers={"Idempotency-Key": key})

    assert bool(re.search(pattern, key)) is is_one
    assert answer.status_code == (200 if is_one else 400)


@pytest.mark.parametrize(
    ("method", "path", "security"),
    [
        ("post", "/auth/login", []),
        ("post", "/auth/refresh", []),
        ("get", "/health", []),
        ("post", "/auth/logout", [{}, {"bearer": []}]),
        ("get", "/data/posts", [{}, {"bearer": ["read"]}]),
        ("post", "/tasks", [{}, {"bearer": ["write"]}]),
        ("get", "/auth/me", [{"bearer": []}]),
    ],
)
async def test_an_operation_says_whether_it_needs_or_takes_a_token(
    document: Json, method: str, path: str, security: list[Json]
) -> None:
    assert document["paths"][path][method]["security"] == security


async def test_what_narrows_the_list_of_jobs_is_documented_and_accepted(
    client: httpx.AsyncClient, document: Json
) -> None:
    given = parameters(document, "/fetch/jobs")

    assert list(given) == ["dataset", "status", "limit", "cursor"]
    for status in given["status"]["schema"]["enum"]:
        answer = await client.get(f"/fetch/jobs?dataset=posts&status={status}&limit=1")
        assert answer.status_code == 200


async def test_every_list_that_is_paged_documents_the_link_to_its_next_page(
    document: Json,
) -> None:
    paged = {
        path: item["get"]["responses"]["200"]["headers"]
        for path, item in document["paths"].items()
        if "cursor" in [p["name"] for p in item.get("get", {}).get("parameters", ())]
    }

    assert paged.keys() >= {"/data", "/data/gauges", "/fetch/jobs", "/quarantine", "/tasks"}
    for path, headers in paged.items():
        assert "Link" in headers, path


async def test_cancelling_a_job_is_documented_with_its_problems(document: Json) -> None:
    operation = document["paths"]["/fetch/status/{job_id}"]["delete"]

    assert {"200", "401", "403", "404", "409"} <= operation["responses"].keys()


async def test_data_alone_is_documented_like_the_posts(document: Json) -> None:
    assert parameters(document, "/data") == parameters(document, "/data/posts")


async def test_every_documented_parameter_is_accepted(
    client: httpx.AsyncClient, document: Json
) -> None:
    examples = {"integer": "1", "number": "1.5", "boolean": "true", "string": "a"}
    for path in ("/data/posts", "/data/gauges"):
        for name, parameter in parameters(document, path).items():
            schema = parameter["schema"]
            count = schema.get("minItems", 1)
            schema = schema.get("items", schema)
            extra = {"format": "csv"} if name in ("bom", "delimiter", "guard") else {}
            value = schema.get("enum", [examples[schema["type"]]])[0]
            value = "2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else value
            value = ",".join([value] * count)
            answer = await client.get(path, params={name: value, **extra})
            assert answer.status_code in (200, 400, 422), name
            code = answer.json().get("code") if answer.status_code != 200 else None
            if name not in ("sort", "fields"):
                assert code != "unknown_parameter", name


async def test_key_fields_are_typed_path_parameters(document: Json) -> None:
    operation = document["paths"]["/data/gauges/{station}/{number}"]["get"]

    in_path = [(p["name"], p["schema"]) for p in operation["parameters"] if p["in"] == "path"]
    assert in_path == [
        ("station", {"type": "string"}),
        ("number", {"type": "integer", "format": "int64"}),
    ]


# ---------------------------------------------------------------- answers


async def test_every_operation_documents_its_problems(document: Json) -> None:
    for method, path, operation in operations(document):
        problems = {
            status
            for status, response in operation["responses"].items()
            if response.get("content", {}).get("application/problem+json")
            == {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
        assert {"400", "500"} <= problems, (method, path)
        errors = {status for status in operation["responses"] if status >= "400"}
        assert errors - problems <= ({"503"} if path == "/health" else set()), (method, path)


async def test_every_operation_documents_what_the_front_answers_and_its_headers(
    document: Json,
) -> None:
    said = {"401": "WWW-Authenticate", "405": "Allow", "429": "Retry-After"}
    for method, path, operation in operations(document):
        responses = operation["responses"]
        assert {"400", "401", "405", "414", "426", "431", "500", "503"} <= responses.keys()
        for status, response in responses.items():
            assert "X-Request-ID" in response["headers"], (method, path)
            assert said.get(status, "X-Request-ID") in response["headers"], (method, path)


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/data", "304 400 401 403 404 405 406 414 422 431 500 503"),
        ("/data/gauges/{station}/{number}", "304 400 401 403 404 405 414 422 431 500 503"),
        ("/fetch", "202 400 401 403 408 409 413 415 422 429 500 502 503 504 507"),
        ("/fetch/{dataset}", "202 400 401 403 404 408 409 413 415 422 429 500 502 503 504 507"),
        ("/fetch/jobs", "400 401 404 422 500 503"),
        ("/", "400 500 503"),
        ("/datasets", "400 500 503"),
        ("/health/ready", "400 500 503"),
    ],
)
async def test_every_status_a_route_may_answer_is_documented(
    document: Json, path: str, statuses: str
) -> None:
    [operation] = document["paths"][path].values()

    assert {"200", *statuses.split()} <= operation["responses"].keys()


async def test_a_service_that_is_down_is_documented_as_it_answers(document: Json) -> None:
    ok, down = (document["paths"]["/health"]["get"]["responses"][s] for s in ("200", "503"))

    assert down["content"] == ok["content"]


@pytest.mark.parametrize("path", ["/data", "/data/gauges", "/tasks"])
async def test_reads_document_all_three_formats_and_the_304(document: Json, path: str) -> None:
    responses = document["paths"][path]["get"]["responses"]

    assert set(responses["200"]["content"]) == {
        "application/json",
        "application/x-ndjson",
        "text/csv",
    }
    assert "304" in responses or path == "/tasks"


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/data", "/data?limit=1"),
        ("/data/gauges", "/data/gauges"),
        ("/data/posts/{id}", "/data/posts/1"),
        ("/data/gauges/{station}/{number}", "/data/gauges/south/1"),
        ("/", "/"),
        ("/datasets", "/datasets"),
        ("/health", "/health"),
        ("/health/live", "/health/live"),
        ("/stats", "/stats"),
        ("/fetch/jobs", "/fetch/jobs?limit=1"),
    ],
)
async def test_answers_have_the_fields_their_schema_says(
    client: httpx.AsyncClient, document: Json, path: str, asked: str
) -> None:
    content = document["paths"][path]["get"]["responses"]["200"]["content"]

    body = (await client.get(asked)).json()

    assert_fits(document, content["application/json"]["schema"], body)


@pytest.mark.parametrize(
    ("name", "optional"),
    [
        ("FetchAnswer", {"detail"}),
        ("SourceReport", set()),
        ("Counts", set()),
        ("Failure", set()),
        ("SourceHealth", set()),
        ("Granted", set()),
        ("TokenInfo", {"token"}),
        ("Problem", {"errors", "report"}),
        ("Detail", {"parameter", "pointer"}),
    ],
)
async def test_all_that_an_answer_always_has_is_required(
    document: Json, name: str, optional: set[str]
) -> None:
    schema = document["components"]["schemas"][name]

    assert schema["properties"].keys() - schema["required"] == optional


async def test_no_schema_has_a_default_because_generators_would_demand_or_send_it(
    document: Json,
) -> None:
    schemas = document["components"]["schemas"]

    for name, schema in schemas.items():
        for part in (schema, *schema.get("properties", {}).values()):
            assert "default" not in part, name
    assert schemas["NewTask"]["required"] == ["title", "repository"]
    assert schemas["NewTask"]["properties"]["status"]["description"] == "`open` unless it is given"


def assert_fits(document: Json, schema: Json, value: Any) -> None:
    """Check a value against the objects, lists and types of its schema."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for name, part in value.items():
            assert_fits(document, schema["properties"][name], part)
    if "items" in schema and value is not None:
        for part in value:
            assert_fits(document, schema["items"], part)
    kinds = {"string": str, "integer": int, "boolean": bool, "null": type(None), "array": list}
    kinds |= {"object": dict, "number": (int, float)}  # type: ignore[dict-item]
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, kinds[name]) for name in names), (schema, value)


async def test_two_datasets_with_records_of_one_name_have_different_schemas() -> None:
    fixture = HttpFixture(POSTS, gauges_dataset("wells"), gauges_dataset("rivers", key=("number",)))
    await fixture.bring(posts(1))

    document = (await fixture.client.get("/openapi.json")).json()

    assert_sound(document)
    answers = {
        document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"][
            "$ref"
        ]
        for path in ("/data/wells", "/data/rivers", "/data/posts")
    }
    assert len(answers) == 3


async def test_tasks_are_documented_like_a_dataset_with_their_bodies(document: Json) -> None:
    given = parameters(document, "/tasks")
    bodies = {
        (method, path): {
            media: content["schema"]["$ref"].rpartition("/")[2]
            for media, content in operation["requestBody"]["content"].items()
        }
        for method, path, operation in operations(document)
        if "requestBody" in operation and path.startswith("/tasks")
    }

    assert {"title__contains", "status", "repo_stars__gte", "sort", "cursor"} <= given.keys()
    assert {"format", "delimiter"} <= given.keys()
    assert given["enrichment"]["schema"]["enum"] == ["ok", "pending", "unavailable", "not_found"]
    assert bodies == {
        ("post", "/tasks"): {"application/json": "NewTask"},
        ("put", "/tasks/{task_id}"): {"application/json": "TaskReplacement"},
        ("patch", "/tasks/{task_id}"): {
            "application/merge-patch+json": "TaskPatch",
            "application/json": "TaskPatch",
        },
    }
    new_task = document["components"]["schemas"]["NewTask"]
    assert new_task["required"] == ["title", "repository"]
    assert new_task["additionalProperties"] is False


async def test_a_page_of_tasks_may_hold_parts_of_them(document: Json) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["TaskPage"]["properties"]["data"]["items"] == {
        "$ref": "#/components/schemas/TaskPart"
    }
    assert schemas["TaskPart"]["required"] == ["id"]
    assert schemas["TaskPart"]["properties"] == schemas["StoredTask"]["properties"]


@pytest.mark.parametrize(
    ("repository", "is_one"),
    [
        ("encode/httpx", True),
        (f"{'a' * 39}/b", True),
        (f"{'a' * 40}/b", False),
        (f"a/{'b' * 100}", True),
        (f"a/{'b' * 101}", False),
        ("a/..", False),
        ("a/...", True),
        ("a--b/c", False),
    ],
)
@pytest.mark.usefixtures("fixture")
async def test_the_pattern_of_a_repository_is_what_is_accepted(
    client: httpx.AsyncClient, document: Json, repository: str, is_one: bool
) -> None:
    pattern = document["components"]["schemas"]["NewTask"]["properties"]["repository"]["pattern"]

    answer = await client.post("/tasks", json={"title": "a", "repository": repository})

    assert bool(re.search(pattern, repository)) is is_one
    assert answer.status_code == (201 if is_one else 422)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/tasks", {"GET", "HEAD", "POST", "OPTIONS"}),
        (f"/tasks/{'0' * 32}", {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}),
        ("/auth/login", {"POST", "OPTIONS"}),
    ],
)
async def test_options_lists_every_method_of_a_path(
    client: httpx.AsyncClient, path: str, allowed: set[str]
) -> None:
    answer = await client.options(path)

    assert answer.status_code == 204
    assert set(answer.headers["allow"].split(", ")) == allowed
    refused = await client.request("TRACE", path)
    assert set(refused.headers["allow"].split(", ")) == allowed
