"""Statistics: `GET /stats`, the numbers of records received, stored and rejected."""

from typing import Any

import httpx

from domain.dataset import Role
from domain.errors import SourceUnavailable, StoreUnavailable
from domain.reports import Counts
from tests.adapters.http.http_fixture import (
    POSTS,
    SOME_GAUGES,
    HttpFixture,
    gauges_dataset,
    posts,
    problem,
)

SECRET = gauges_dataset(read_by=Role.USER)


async def stats(fixture: HttpFixture) -> dict[str, Any]:
    """Return the present statistics."""
    answer = await fixture.client.get("/stats")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def counts(**some: int) -> dict[str, int]:
    """Return counts, zero where none is given."""
    return {name: some.get(name, 0) for name in Counts.__struct_fields__}


async def test_everything_is_counted_and_every_source_shown(client: httpx.AsyncClient) -> None:
    answer = await client.get("/stats")

    body = answer.json()
    assert list(body) == [
        "raw_records",
        "normalized_records",
        "quarantined",
        "sources",
        "request_id",
    ]
    assert (body["raw_records"], body["normalized_records"], body["quarantined"]) == (104, 104, 0)
    assert body["sources"][0] == {
        "source": "posts_source",
        "dataset": "posts",
        "last_run": "2026-01-01T00:01:01Z",
        "last_status": "succeeded",
        "runs": 1,
        "counts": counts(received=100, inserted=100),
        "last_error": None,
        "last_success_at": "2026-01-01T00:01:01Z",
    }
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_source_that_never_ran_is_there_with_nothing(empty: HttpFixture) -> None:
    body = await stats(empty)

    assert (body["raw_records"], body["normalized_records"], body["quarantined"]) == (0, 0, 0)
    assert body["sources"][0] == {
        "source": "posts_source",
        "dataset": "posts",
        "last_run": None,
        "last_status": None,
        "runs": 0,
        "counts": counts(),
        "last_error": None,
        "last_success_at": None,
    }


async def test_records_received_again_are_received_again_and_stored_once(
    empty: HttpFixture,
) -> None:
    await empty.bring(posts(10))
    await empty.bring([*posts(9), *posts(2, first=100)])
    empty.sources["posts"][0].pages = [b'[{"id":"x"}]']
    empty.clock.advance(61)
    await empty.client.post("/fetch")

    body = await stats(empty)

    assert (body["raw_records"], body["normalized_records"], body["quarantined"]) == (22, 12, 1)
    assert body["sources"][0]["runs"] == 3
    assert body["sources"][0]["last_status"] == "partial"
    assert body["sources"][0]["counts"] == counts(
        received=22, inserted=12, unchanged=9, quarantined=1
    )


async def test_a_failure_is_shown_until_a_run_succeeds(empty: HttpFixture) -> None:
    await empty.bring(posts(1))
    source = empty.sources["posts"][0]
    source.failure = SourceUnavailable("no answer")
    empty.clock.advance(61)
    await empty.client.post("/fetch")
    [failed, _] = (await stats(empty))["sources"]
    source.failure = None
    empty.clock.advance(61)
    await empty.client.post("/fetch")
    [healed, _] = (await stats(empty))["sources"]

    assert failed["last_error"] == {"code": "source_unavailable", "detail": "no answer"}
    assert failed["last_status"] == "failed"
    assert failed["last_success_at"] < failed["last_run"]
    assert (healed["last_error"], healed["last_status"]) == (None, "succeeded")
    assert healed["last_success_at"] == healed["last_run"]
    assert (failed["runs"], healed["runs"]) == (2, 3)


async def test_a_fetch_that_was_fresh_moves_nothing(fixture: HttpFixture) -> None:
    before = await stats(fixture)

    fetched = await fixture.client.post("/fetch/gauges")
    after = await stats(fixture)

    assert fetched.json()["outcome"] == "fresh"
    assert {**after, "request_id": ""} == {**before, "request_id": ""}


async def test_a_hidden_dataset_is_neither_shown_nor_counted() -> None:
    fixture = HttpFixture(POSTS, SECRET)
    await fixture.bring(posts(3))
    await fixture.bring(SOME_GAUGES, SECRET)

    body = await stats(fixture)

    assert [source["dataset"] for source in body["sources"]] == ["posts"]
    assert (body["raw_records"], body["normalized_records"]) == (3, 3)


async def test_without_a_database_the_numbers_are_a_problem(fixture: HttpFixture) -> None:
    fixture.broken.failure = StoreUnavailable("the database is gone")

    problem(await fixture.client.get("/stats"), 503, "store_unavailable")
