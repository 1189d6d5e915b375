"""The README and the tour: output, requests and examples are correct."""

import ast
import csv
import inspect
import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.docs.demo import ADDRESS, Demo
from tests.docs.markdown import DOCS, README, REFERENCE, blocks, named

#: The parts that differ from run to run.
VARYING = re.compile(r"http://127\.0\.0\.1:\d+|\d{4}-\d\d-\d\dT[\d:]+Z")
CURL = re.compile(r"^curl (?:-X (\w+) )?'([^']+)'\s+# (.*)$", re.MULTILINE)
REQUESTS = [found for block in blocks(README, "sh") for found in CURL.findall(block.text)]


def records_in(answer: httpx.Response) -> int:
    """Return how many records an answer holds, whatever its format."""
    if answer.headers["content-type"].startswith("text/csv"):
        return len(list(csv.DictReader(io.StringIO(answer.text, newline=""))))
    return int(answer.json()["count"])


def test_the_demo_prints_the_tour(demo: Demo) -> None:
    [tour] = [block.text for block in blocks(DOCS / "tour.md", "text")]

    assert VARYING.sub("…", demo.shown.strip()) == VARYING.sub("…", tour.strip())


def test_the_demo_invites_to_requests_that_work(demo: Demo) -> None:
    for method, url in re.findall(r"curl (?:-X (\w+) )?'([^']+)'", demo.invitation):
        assert httpx.request(method or "GET", url).status_code == 200


def test_the_readme_has_requests() -> None:
    assert len(REQUESTS) >= 10


@pytest.mark.parametrize(("method", "url", "said"), REQUESTS)
def test_a_request_has_the_response_in_the_readme(
    demo: Demo, method: str, url: str, said: str
) -> None:
    answer = httpx.request(method or "GET", url.replace(ADDRESS, demo.url))

    # A task is 202, unless the dataset is still fresh from the tour.
    assert answer.status_code == 200 or (answer.status_code == 202 and "mode=task" in url)
    if counted := re.match(r"(\d+) (?:posts|assets|tasks?)\b", said):
        assert records_in(answer) == int(counted[1])
    if total := re.search(r"of (\d+) in all", said):
        assert answer.json()["page"]["total"] == int(total[1])
    if "a cursor" in said:
        assert answer.json()["page"]["next_cursor"]


def outline(value: Any) -> Any:
    """Return the names in a JSON value, at every depth; a list is known by its first element."""
    if isinstance(value, dict):
        return {name: outline(part) for name, part in value.items()}
    return [outline(part) for part in value[:1]] if isinstance(value, list) else None


@pytest.mark.parametrize("page", [README, REFERENCE / "http-api.md"], ids=named)
def test_the_envelope_shown_is_the_envelope_answered(demo: Demo, page: Path) -> None:
    block = next(block for block in blocks(page, "json") if '"meta"' in block.text)

    answered = httpx.get(f"{demo.url}/data?limit=1").json()

    assert outline(json.loads(block.text)) == outline(answered)


def test_the_problem_shown_has_the_fields_of_a_problem(demo: Demo) -> None:
    [block] = blocks(REFERENCE / "problems.md", "json")

    answered = httpx.get(f"{demo.url}/data?colour=red").json()

    assert outline(json.loads(block.text)) == outline(answered)


def examples() -> dict[str, Any]:
    """Return the tests that the README and the how-to on memory adapters show."""
    defined: dict[str, Any] = {}
    for page in (README, DOCS / "how-to" / "test-with-memory.md"):
        for block in blocks(page, "python"):
            exec(compile(ast.parse(block.text), page.name, "exec"), defined)  # noqa: S102
    return {name: found for name, found in defined.items() if name.startswith("test_")}


def test_the_readme_shows_tests() -> None:
    assert len(examples()) == 2


@pytest.mark.parametrize("name", list(examples()))
async def test_an_example_of_the_readme_passes(name: str) -> None:
    example = examples()[name]

    assert inspect.iscoroutinefunction(example)
    await example()
