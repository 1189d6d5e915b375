"""The Postman collection covers every route, and contains no secret."""

import re
from collections import Counter
from typing import Any

from adapters.http.openapi.pages import PREFIXES
from entrypoints.config.settings import SETTINGS
from tests.docs.collection import TEXT, folders, requests, variables

PAGES = {f"GET {path}" for path in (*PREFIXES, "/docs/problems")}
STATUS = re.compile(r"pm\.response\.(?:to\.have\.status\(\d+\)|code\b)")
USED = re.compile(
    r"{{(\w+)}}|pm\.(?:variables|collectionVariables)\.(?:get|set)\(\\\"(\w+)\\\"", re.ASCII
)


def operations(openapi: dict[str, Any]) -> dict[str, Any]:
    """Return every operation, such as `GET /data`."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in openapi["paths"].items()
        for method, operation in item.items()
    }


async def test_every_operation_has_a_request_and_every_request_an_operation(
    openapi: dict[str, Any],
) -> None:
    asked = {request.operation for request in requests()}

    assert asked == {*operations(openapi)} | PAGES


async def test_every_parameter_of_a_request_is_one_of_its_operation(
    openapi: dict[str, Any],
) -> None:
    known = {
        name: {parameter["name"] for parameter in operation.get("parameters", [])}
        for name, operation in operations(openapi).items()
    }

    unknown = {
        request.name: {*request.query} - known.get(request.operation, set())
        for request in requests()
    }
    assert {name: names for name, names in unknown.items() if names} == {}


def test_it_starts_with_the_requests_of_telemetry_clients() -> None:
    log_in, populate, read = requests(folders()[0])[:3]

    assert (log_in.operation, log_in.form) == ("POST /auth/login", ("username", "password"))
    assert populate.operation == "GET /api/populate"
    assert (read.operation, read.query) == ("GET /api/data", ("start", "end", "skip", "limit"))


def test_every_request_checks_the_status_of_its_answer() -> None:
    assert [each.name for each in requests() if not STATUS.search(each.checks)] == []


def test_every_address_is_the_same_as_a_whole_and_in_parts() -> None:
    assert [each.url["raw"] for each in requests()] == [each.address for each in requests()]


def test_every_request_has_a_name_of_its_own() -> None:
    named = Counter(request.name for request in requests())

    assert [name for name, times in named.items() if times > 1] == []


def test_every_variable_that_is_used_is_declared_and_no_other() -> None:
    used = {name for names in USED.findall(TEXT) for name in names if name}

    assert used == {*variables()}


def test_it_has_the_default_address_and_no_secret() -> None:
    known = {name: value for name, value in variables().items() if value}

    assert known == {
        "baseUrl": f"http://{SETTINGS['HOST'].default}:{SETTINGS['PORT'].default}",
        "repository": "litestar-org/litestar",
    }
