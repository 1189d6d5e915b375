"""Tasks over HTTP: created, read, listed, changed and deleted, whatever GitHub answers."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from domain.errors import (
    SourceBlocked,
    SourceError,
    SourceRefused,
    SourceTimedOut,
    SourceUnavailable,
    StoreFull,
    StoreUnavailable,
    UnexpectedContent,
)
from domain.repositories import RepoFacts
from domain.tasks import TASKS
from tests.adapters.http.http_fixture import HttpFixture, problem, walk

TASK = {"title": "a title", "repository": "encode/httpx"}
FACTS = RepoFacts("a client", 7, "Python")
T0 = "2026-01-01T00:00:00Z"
T1 = "2026-01-01T00:00:01Z"

pytestmark = pytest.mark.usefixtures("fixture")


@pytest.fixture
def fixture(empty: HttpFixture) -> HttpFixture:
    """Return the application, with a GitHub that has one repository."""
    empty.github.facts["encode/httpx"] = FACTS
    return empty


async def make(client: httpx.AsyncClient, **said: Any) -> dict[str, Any]:
    """Create a task and return the answer."""
    answer = await client.post("/tasks", json=TASK | said)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def path_of(task: dict[str, Any]) -> str:
    """Return the path of a task."""
    return f"/tasks/{task['id']}"


def pointer_of(body: dict[str, Any]) -> str:
    """Return the pointer that a problem names."""
    [error] = body["errors"]
    return str(error["pointer"])


# ---------------------------------------------------------------- created


async def test_where_there_is_no_room_for_another_task_it_is_refused() -> None:
    client = HttpFixture(most_tasks=1).client
    one = await make(client)

    refused = await client.post("/tasks", json=TASK)
    await client.delete(path_of(one))

    assert "1 tasks" in problem(refused, 409, "too_many_tasks")["detail"]
    await make(client)


async def test_a_task_is_made_and_found_where_it_says(client: httpx.AsyncClient) -> None:
    made = await client.post("/tasks", json=TASK)
    found = await client.get(made.headers["location"])

    assert made.status_code == 201
    task = made.json()
    assert task == found.json()
    assert made.headers["etag"] == found.headers["etag"] == '"1"'
    assert made.headers["location"] == path_of(task)
    assert list(task) == list(TASKS.fields)
    assert {name: value for name, value in task.items() if name != "id"} == {
        "title": "a title",
        "description": None,
        "status": "open",
        "repository": "encode/httpx",
        "repo_description": "a client",
        "repo_stars": 7,
        "repo_language": "Python",
        "repo_fetched_at": T0,
        "enrichment": "ok",
        "version": 1,
        "created_at": T0,
        "updated_at": T0,
        "_changed_at": T0,
    }


@pytest.mark.parametrize(
    ("failure", "enrichment"),
    [
        (SourceUnavailable("500"), "unavailable"),
        (SourceBlocked("429"), "pending"),
        (SourceBlocked("403, nothing left"), "pending"),
        (SourceTimedOut("silence"), "pending"),
        (SourceRefused("401"), "unavailable"),
        (UnexpectedContent("garbage"), "unavailable"),
    ],
)
async def test_whatever_github_does_tasks_can_be_worked_with(
    fixture: HttpFixture, failure: SourceError, enrichment: str
) -> None:
    fixture.github.failure = failure
    client = fixture.client

    task = await make(client)
    changed = await client.request("PATCH", path_of(task), json={"status": "done"})
    replaced = await client.put(path_of(task), json=TASK | {"repository": "another/one"})
    listed = await client.get(f"/tasks?enrichment={enrichment}")
    deleted = await client.delete(path_of(task))

    assert task["enrichment"] == enrichment
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (replaced.status_code, replaced.json()["version"]) == (200, 3)
    assert (listed.status_code, listed.json()["count"]) == (200, 1)
    assert deleted.status_code == 204


async def test_a_silent_github_delays_no_request_by_more_than_three_seconds(
    fixture: HttpFixture,
) -> None:
    fixture.github.takes_s = 3600
    making = asyncio.create_task(make(fixture.client))

    await fixture.clock.elapse(3)

    assert (await making)["enrichment"] == "pending"


async def test_a_missing_repository_is_shown_as_not_found(client: httpx.AsyncClient) -> None:
    assert (await make(client, repository="no/where"))["enrichment"] == "not_found"


async def test_what_waits_is_enriched_by_the_job_that_was_asked_for(fixture: HttpFixture) -> None:
    fixture.github.failure = SourceUnavailable("500")
    task = await make(fixture.client)
    fixture.github.failure = None
    fixture.clock.advance(timedelta(seconds=1))

    await fixture.work()

    answer = await fixture.client.get(path_of(task))
    assert (answer.json()["enrichment"], answer.json()["repo_stars"]) == ("ok", 7)
    assert answer.headers["etag"] == '"2"'


@pytest.mark.parametrize(
    ("said", "pointer", "expected"),
    [
        ({"title": ""}, "/title", "length >= 1"),
        ({"title": "   "}, "/title", "1 to 200"),
        ({"title": "x" * 201}, "/title", "length <= 200"),
        ({"title": None}, "/title", "str"),
        ({"title": 7}, "/title", "str"),
        ({"title": ["x"]}, "/title", "str"),
        ({"description": "x" * 10_001}, "/description", "10000"),
        ({"description": 7}, "/description", "str"),
        ({"status": "urgent"}, "/status", "open, in_progress, done"),
        ({"status": None}, "/status", "str"),
        ({"repository": "httpx"}, "/repository", "owner/name"),
        ({"repository": "../.."}, "/repository", "owner/name"),
        ({"repository": "https://github.com/encode/httpx"}, "/repository", "owner/name"),
        ({"repository": None}, "/repository", "str"),
    ],
)
async def test_what_no_task_may_hold_is_422_by_its_place(
    client: httpx.AsyncClient, said: dict[str, Any], pointer: str, expected: str
) -> None:
    task = await make(client)

    for answer in (
        await client.post("/tasks", json=TASK | said),
        await client.put(path_of(task), json=TASK | said),
        await client.request("PATCH", path_of(task), json=said),
    ):
        body = problem(answer, 422, "invalid_value")
        assert pointer_of(body) == pointer
        assert expected in body["detail"]
    assert (await client.get(path_of(task))).json() == task


@pytest.mark.parametrize("field", ["title", "repository"])
async def test_what_is_missing_is_422_by_its_place(client: httpx.AsyncClient, field: str) -> None:
    body = {name: value for name, value in TASK.items() if name != field}
    task = await make(client)

    for answer in (
        await client.post("/tasks", json=body),
        await client.put(path_of(task), json=body),
    ):
        assert pointer_of(problem(answer, 422, "invalid_value")) == f"/{field}"


# ---------------------------------------------------------------- replaced by an edited copy


async def test_a_task_may_be_sent_as_it_was_read(client: httpx.AsyncClient) -> None:
    task = await make(client, description="a text", status="done")

    same = await client.put(path_of(task), json=task)
    changed = await client.put(path_of(task), json=task | {"title": "another"})

    assert same.json() == task
    assert changed.status_code == 200
    assert changed.json()["title"] == "another"
    assert changed.json()["version"] == 2


async def test_what_users_do_not_set_has_no_effect(client: httpx.AsyncClient) -> None:
    task = await make(client)
    another = {"repo_description": None, "repo_stars": 8, "repo_language": "C", "version": 9}
    another |= {"repo_fetched_at": None, "enrichment": "pending", "created_at": T1}
    another |= {"updated_at": T1, "_changed_at": T1}

    answer = await client.put(path_of(task), json=TASK | another)

    assert {*TASK, *another, "id", "description", "status"} == {*task}
    assert answer.json() == task


async def test_what_has_no_effect_is_still_what_it_should_be(client: httpx.AsyncClient) -> None:
    task = await make(client)

    answer = await client.put(path_of(task), json=TASK | {"version": "1"})

    assert pointer_of(problem(answer, 422, "invalid_value")) == "/version"


async def test_a_task_is_not_replaced_by_what_was_read_of_another(
    client: httpx.AsyncClient,
) -> None:
    task, other = await make(client), await make(client)

    answer = await client.put(path_of(task), json=other)

    assert pointer_of(problem(answer, 422, "invalid_value")) == "/id"


async def test_only_a_replacement_may_name_what_users_do_not_set(
    client: httpx.AsyncClient,
) -> None:
    task = await make(client)

    problem(await client.post("/tasks", json=task), 422, "invalid_value")
    problem(await client.request("PATCH", path_of(task), json=task), 422, "invalid_value")
    problem(await client.put(path_of(task), json=TASK | {"owner": "me"}), 422, "invalid_value")


# ---------------------------------------------------------------- exported


@pytest.mark.parametrize("how", ["format", "accept"])
async def test_tasks_come_as_csv(client: httpx.AsyncClient, how: str) -> None:
    task = await make(client, title="=1+1")
    await make(client, title="another")
    asked = "/tasks?sort=created_at&limit=1&fields=title,version,created_at,description"

    answer = await (
        client.get(f"{asked}&format=csv")
        if how == "format"
        else client.get(asked, headers={"Accept": "text/csv"})
    )

    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="tasks.csv"'
    assert answer.headers["vary"] == "Accept, Accept-Encoding, Authorization"
    assert answer.text.splitlines() == [
        "id,title,description,version,created_at",
        f"{task['id']},'=1+1,,1,{T0.replace('Z', '.000000Z')}",
    ]


async def test_tasks_come_as_ndjson(client: httpx.AsyncClient) -> None:
    tasks = [await make(client), await make(client, status="done")]

    answer = await client.get("/tasks?format=jsonl&status__in=open&status__in=done&sort=id")

    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [msgspec.json.decode(line) for line in answer.content.splitlines()]
    assert lines == sorted(tasks, key=lambda task: str(task["id"]))


async def test_tasks_come_in_no_other_format(client: httpx.AsyncClient) -> None:
    problem(await client.get("/tasks", headers={"Accept": "image/png"}), 406, "not_acceptable")
    problem(await client.get("/tasks?format=xml"), 422, "invalid_value")


async def test_a_failure_before_the_first_task_is_a_problem(fixture: HttpFixture) -> None:
    fixture.broken.failure = StoreUnavailable("gone")

    problem(await fixture.client.get("/tasks?format=csv"), 503, "store_unavailable")


async def test_the_head_of_an_export_has_its_headers_alone(client: httpx.AsyncClient) -> None:
    await make(client)

    answer = await client.head("/tasks?format=csv")

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.content == b""


# ---------------------------------------------------------------- read


async def test_a_task_that_is_not_there_is_404(client: httpx.AsyncClient) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = await client.request(method, "/tasks/" + "0" * 32, json=TASK)
        problem(answer, 404, "unknown_record")


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', '"7", "1"', "*"])
async def test_a_client_with_the_current_version_gets_a_304(
    client: httpx.AsyncClient, tag: str
) -> None:
    task = await make(client)

    answer = await client.get(path_of(task), headers={"If-None-Match": tag})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')


async def test_a_client_that_has_an_old_version_gets_the_new_one(client: httpx.AsyncClient) -> None:
    task = await make(client)
    await client.request("PATCH", path_of(task), json={"title": "another"})

    answer = await client.get(path_of(task), headers={"If-None-Match": '"1"'})

    assert (answer.status_code, answer.json()["title"]) == (200, "another")


async def test_a_head_has_the_headers_alone(client: httpx.AsyncClient) -> None:
    task = await make(client)

    one, many = await client.head(path_of(task)), await client.head("/tasks")

    assert (one.status_code, one.headers["etag"], one.content) == (200, '"1"', b"")
    assert (many.status_code, many.content) == (200, b"")


# ---------------------------------------------------------------- listed


async def test_tasks_are_listed_newest_first_in_an_envelope(fixture: HttpFixture) -> None:
    first = await make(fixture.client, title="first")
    fixture.clock.advance(1)
    second = await make(fixture.client, title="second")

    answer = await fixture.client.get("/tasks")

    assert answer.json() == {
        "data": [second, first],
        "count": 2,
        "page": {
            "limit": 100,
            "offset": 0,
            "next_cursor": None,
            "has_more": False,
            "total": None,
            "total_relation": None,
        },
        "request_id": answer.headers["x-request-id"],
    }


async def test_tasks_are_paged_by_links(fixture: HttpFixture) -> None:
    for number in range(7):
        await make(fixture.client, title=f"title {number}", status="done" if number % 2 else "open")

    url = "/tasks?limit=2&sort=title&status=open&fields=title&count=exact"
    pages = [page async for page in walk(fixture.client, url)]

    titles = [[task["title"] for task in page["data"]] for page in pages]
    assert titles == [["title 0", "title 2"], ["title 4", "title 6"]]
    assert [page["page"]["total"] for page in pages] == [4, 4]
    assert {tuple(task) for page in pages for task in page["data"]} == {("id", "title")}


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("title__startswith=b", ["b"]),
        ("description__isnull=true", ["a", "b"]),
        ("repository=encode/httpx&repo_stars__gte=7", ["a", "c"]),
        ("enrichment__in=not_found,pending", ["b"]),
        ("status__ne=open", ["c"]),
        ("created_at__lt=2026-01-01T00:00:00Z", []),
        ("_changed_at__gte=2026-01-01T00:00:00Z&limit=2", ["a", "b"]),
        ("offset=1", ["b", "c"]),
    ],
)
async def test_every_field_is_a_filter(
    client: httpx.AsyncClient, query: str, titles: list[str]
) -> None:
    await make(client, title="a")
    await make(client, title="b", repository="no/where")
    await make(client, title="c", description="more", status="done")

    answer = await client.get(f"/tasks?sort=title&{query}")

    assert [task["title"] for task in answer.json()["data"]] == titles


async def test_tasks_are_no_dataset_of_the_catalogue(client: httpx.AsyncClient) -> None:
    await make(client)

    problem(await client.get("/data/tasks"), 404, "unknown_dataset")
    problem(await client.post("/fetch/tasks"), 404, "unknown_dataset")
    assert '"name":"tasks"' not in (await client.get("/datasets")).text


# ---------------------------------------------------------------- change


async def test_a_patch_changes_what_it_names(client: httpx.AsyncClient) -> None:
    task = await make(client, description="more")

    answer = await client.request(
        "PATCH", path_of(task), json={"status": "in_progress", "description": None}
    )

    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    changed = {"status": "in_progress", "description": None, "version": 2}
    assert answer.json() == task | changed | {"_changed_at": answer.json()["_changed_at"]}


async def test_a_put_says_all_of_it_anew(client: httpx.AsyncClient) -> None:
    task = await make(client, description="more", status="done")

    answer = await client.put(path_of(task), json=TASK | {"title": "another"})

    assert answer.json() == task | {
        "title": "another",
        "description": None,
        "status": "open",
        "version": 2,
        "_changed_at": answer.json()["_changed_at"],
    }


@pytest.mark.parametrize("body", [{}, {"title": "a title"}])
async def test_a_patch_that_changes_nothing_makes_no_version(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    task = await make(client)

    answer = await client.request("PATCH", path_of(task), json=body, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()) == (200, task)


async def test_another_repository_is_another_s_facts(client: httpx.AsyncClient) -> None:
    task = await make(client)

    answer = await client.request("PATCH", path_of(task), json={"repository": "no/where"})

    assert (answer.json()["enrichment"], answer.json()["repo_stars"]) == ("not_found", None)


async def test_a_deleted_task_is_gone(client: httpx.AsyncClient) -> None:
    task = await make(client)

    answer = await client.delete(path_of(task), headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.content) == (204, b"")
    problem(await client.get(path_of(task)), 404, "unknown_record")


async def test_reads_that_fail_are_the_usual_problems(fixture: HttpFixture) -> None:
    fixture.broken.failure = StoreFull("there is no room")

    problem(await fixture.client.get("/tasks"), 507, "store_full")
