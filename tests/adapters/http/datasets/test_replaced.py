"""Datasets that are added, changed and removed while the application runs."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from adapters.memory.database import NEVER, MemoryDatabase, StoredRow
from adapters.memory.datasets import MemoryStore
from application.datasets.query import CHUNK, Query
from application.datasets.registry import Generation, RegisteredDataset
from application.ingest.fetch import Fetch
from domain.builtin.posts import POSTS
from domain.dataset import CHANGED_AT, Dataset
from domain.errors import StoreUnavailable
from domain.fields import Int64
from domain.paging import PageRequest
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import (
    GAUGES,
    HttpFixture,
    posts,
    problem,
)


class Narrow(msgspec.Struct, frozen=True):
    """A gauge with fewer fields."""

    station: str
    number: Int64


def registered(fixture: HttpFixture, dataset: Dataset[Any]) -> RegisteredDataset[Any]:
    """Return a registered dataset without sources."""
    ports = fixture.intakes, fixture.clock, fixture.job_backend, fixture.random
    fetch = Fetch(dataset, (), fixture.store, *ports)
    return RegisteredDataset(fetch, Query(dataset, fixture.store))


async def replace(fixture: HttpFixture, *registered: RegisteredDataset[Any]) -> None:
    """Replace the datasets of the application."""
    await fixture.registry.replace(Generation(registered))


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": '"another"'}])
async def test_a_removed_dataset_is_not_found_at_once_however_often_it_was_read(
    fixture: HttpFixture, headers: dict[str, str]
) -> None:
    kept = fixture.registry.current["gauges"]
    for _ in range(3):
        assert (await fixture.client.get("/data/posts", headers=headers)).status_code == 200

    await replace(fixture, kept)

    for path in ("/data/posts", "/data/posts/1", "/data/posts?id=1"):
        problem(await fixture.client.get(path, headers=headers), 404, "unknown_dataset")
    problem(await fixture.client.post("/fetch/posts"), 404, "unknown_dataset")
    listed = (await fixture.client.get("/datasets")).json()["datasets"]
    assert [dataset["name"] for dataset in listed] == ["gauges"]


async def test_an_answer_that_client_had_says_nothing_of_a_removed_dataset(
    fixture: HttpFixture,
) -> None:
    kept = fixture.registry.current["gauges"]
    etag = (await fixture.client.get("/data")).headers["etag"]
    known = {"If-None-Match": etag}
    for _ in range(3):
        assert (await fixture.client.get("/data", headers=known)).status_code == 304

    await replace(fixture, kept)

    problem(await fixture.client.get("/data", headers=known), 404, "unknown_dataset")


async def test_pages_of_a_dataset_that_stays_are_kept(fixture: HttpFixture) -> None:
    kept = fixture.registry.current["posts"]
    await fixture.client.get("/data")
    read = fixture.broken.pages

    await replace(fixture, kept)

    assert (await fixture.client.get("/data")).status_code == 200
    assert fixture.broken.pages == read


async def test_an_added_dataset_is_served_and_documented_at_once() -> None:
    fixture = HttpFixture(POSTS)
    posts = fixture.registry.current["posts"]
    problem(await fixture.client.get("/data/gauges"), 404, "unknown_dataset")
    before = (await fixture.client.get("/openapi.json")).json()

    await replace(fixture, posts, registered(fixture, GAUGES))
    answer = await fixture.client.get("/data/gauges")
    after = (await fixture.client.get("/openapi.json")).json()

    assert answer.json()["data"] == []
    assert "/data/gauges" not in before["paths"]
    assert "/data/gauges" in after["paths"]
    assert {path for path in after["paths"] if "gauges" not in path} == before["paths"].keys()


async def test_the_document_is_made_once_for_each_generation(fixture: HttpFixture) -> None:
    first, again = [(await fixture.client.get("/openapi.json")).headers["etag"] for _ in range(2)]

    await replace(fixture, fixture.registry.current["posts"])

    assert first == again
    assert (await fixture.client.get("/openapi.json")).headers["etag"] != first


async def test_a_changed_dataset_takes_its_new_parameters_at_once(fixture: HttpFixture) -> None:
    narrow = Dataset(name="gauges", record=Narrow, key=GAUGES.key)
    for _ in range(3):
        assert (await fixture.client.get("/data/gauges?level=1.5")).status_code == 200

    await replace(fixture, registered(fixture, narrow))

    problem(await fixture.client.get("/data/gauges?level=1.5"), 400, "unknown_parameter")
    answer = await fixture.client.get("/data/gauges?station=south")
    assert [record.keys() for record in answer.json()["data"]] == [
        {"station", "number", CHANGED_AT.name}
    ]


class ReplacedMeanwhile(MemoryStore):
    """A store whose tables change while a page is read, after the `spared` ones."""

    spared = 0
    change: Callable[[], Awaitable[None]] | None = None

    async def find(self, dataset: Dataset[Any], request: PageRequest) -> Any:
        """Return a page, or raise the error of a table that changes meanwhile."""
        if self.change is None or self.spared:
            self.spared -= 1
            return await super().find(dataset, request)
        change, self.change = self.change, None
        await change()
        raise StoreUnavailable("the fields have been changed")


@pytest.fixture
def store() -> ReplacedMeanwhile:
    """Return a store with two chunks of posts, whose tables are about to change."""
    database = MemoryDatabase()
    for post in posts(2 * CHUNK):
        row = POSTS.row(*msgspec.structs.astuple(post), NEVER)
        database.tables["posts"].rows[(post.id,)] = StoredRow(row, 0)
    return ReplacedMeanwhile(database)


@pytest.fixture
def replaced(store: ReplacedMeanwhile) -> HttpFixture:
    """Return the application over this store."""
    return HttpFixture(POSTS, store=store)


@pytest.mark.parametrize("path", ["/data", "/data?format=ndjson"])
async def test_what_fails_because_the_dataset_was_replaced_is_read_anew(
    replaced: HttpFixture, store: ReplacedMeanwhile, path: str
) -> None:
    store.change = partial(replace, replaced, registered(replaced, POSTS))

    answer = await replaced.client.get(path)

    assert answer.status_code == 200
    assert answer.content.count(b'"title"') == (100 if path == "/data" else 2 * CHUNK)


async def test_an_export_that_is_half_sent_is_not_begun_again(
    replaced: HttpFixture, store: ReplacedMeanwhile
) -> None:
    store.spared, store.change = 1, partial(replace, replaced, registered(replaced, POSTS))
    conversation = Conversation(replaced.app)

    with pytest.raises(StoreUnavailable):
        await conversation.get("/data?format=ndjson")

    assert conversation.body.count(b"\n") == CHUNK
    assert not conversation.finished


async def test_what_fails_because_the_dataset_was_removed_is_not_found(
    replaced: HttpFixture, store: ReplacedMeanwhile
) -> None:
    store.change = partial(replace, replaced, registered(replaced, GAUGES))

    problem(await replaced.client.get("/data/posts"), 404, "unknown_dataset")


async def test_what_fails_for_another_reason_is_reported(
    replaced: HttpFixture, store: ReplacedMeanwhile
) -> None:
    store.change = partial(replace, replaced, replaced.registry.current["posts"])

    problem(await replaced.client.get("/data/posts"), 503, "store_unavailable")
