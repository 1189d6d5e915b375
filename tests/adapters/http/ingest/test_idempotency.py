"""The `Idempotency-Key` header: one effect and one answer for repeated requests."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from adapters.http.ingest.idempotency import fingerprint_of
from adapters.memory.database import MemoryDatabase
from adapters.memory.jobs import MemoryIdempotency, MemoryJobs
from application.ports.jobs import ABANDONED, SavedAnswer
from domain.dataset import Role
from domain.errors import SourceUnavailable, StoreUnavailable
from domain.jobs import FetchJob
from tests.adapters.http.http_fixture import (
    BASE,
    GAUGES,
    POSTS,
    HttpFixture,
    gauges_dataset,
    posts,
    problem,
)
from tests.adapters.http.stores import STORES

#: `POST /fetch?mode=task` as an ASGI scope.
ASKED = {"method": "POST", "path": "/fetch", "query_string": b"mode=task"}


async def post(fixture: HttpFixture, path: str = "/fetch", key: str = "a-key") -> httpx.Response:
    """Send a request for a fetch with a key."""
    return await fixture.client.post(path, headers={"Idempotency-Key": key})


# ---------------------------------------------------------------- the same answer


@pytest.mark.parametrize("path", ["/fetch", "/fetch/gauges", "/fetch?mode=task"])
async def test_the_same_request_gets_the_same_answer(empty: HttpFixture, path: str) -> None:
    first = await post(empty, path)
    empty.clock.advance(3600)
    await empty.work()

    second = await post(empty, path)

    assert (second.status_code, second.content) == (first.status_code, first.content)
    for name in ("content-type", "location", "retry-after"):
        assert second.headers.get(name) == first.headers.get(name)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


@pytest.mark.parametrize("store", STORES)
async def test_the_same_request_gets_the_same_answer_on_every_store(store: str) -> None:
    async with STORES[store](GAUGES) as fixture:
        first, second = await post(fixture), await post(fixture)
        other = await post(fixture, "/fetch/gauges")

        assert second.content == first.content
        assert second.headers["idempotent-replayed"] == "true"
        problem(other, 422, "key_reused")
        assert (await fixture.client.get("/fetch/jobs")).json()["data"] == [first.json()]


async def test_it_has_one_effect(empty: HttpFixture) -> None:
    for _ in range(3):
        await post(empty)
        empty.clock.advance(3600)

    assert len(empty.sources["posts"][0].asked) == 1
    assert (await empty.client.get("/fetch/jobs")).json()["count"] == 1


async def test_after_a_day_a_key_is_new(empty: HttpFixture) -> None:
    first = await post(empty)
    empty.clock.advance(timedelta(hours=24))

    second = await post(empty)

    assert "idempotent-replayed" not in second.headers
    assert second.json()["job_id"] != first.json()["job_id"]


async def test_another_key_is_another_request(empty: HttpFixture) -> None:
    first = await post(empty)
    empty.clock.advance(60)

    second = await post(empty, key="b-key")

    assert second.json()["job_id"] != first.json()["job_id"]


async def test_the_answer_that_nothing_was_asked_is_kept_too(fixture: HttpFixture) -> None:
    await fixture.bring(posts(100))
    first = await post(fixture)
    fixture.clock.advance(3600)

    second = await post(fixture)

    assert first.json()["outcome"] == second.json()["outcome"] == "fresh"


async def test_without_a_key_nothing_is_repeated(empty: HttpFixture) -> None:
    await empty.client.post("/fetch")
    empty.clock.advance(60)

    answer = await empty.client.post("/fetch")

    assert "idempotent-replayed" not in answer.headers
    assert len(empty.sources["posts"][0].asked) == 2


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    "other", ["/fetch/posts", "/fetch/gauges", "/fetch?mode=sync", "/fetch?mode=task"]
)
async def test_another_request_with_the_same_key_is_refused(empty: HttpFixture, other: str) -> None:
    await post(empty)

    answer = await post(empty, other)

    problem(answer, 422, "key_reused")
    assert len(empty.sources["gauges"][0].asked) == 0


async def test_while_the_first_is_being_answered_the_second_gets_a_retry_after(
    empty: HttpFixture,
) -> None:
    empty.sources["posts"][0].pages = [posts(1)]
    empty.sources["posts"][0].takes_s = 1
    first = asyncio.create_task(post(empty))
    await empty.clock.settle()

    second = await post(empty)
    await empty.clock.elapse(2)
    third = await post(empty)

    problem(second, 409, "key_in_use")
    assert second.headers["retry-after"] == "1"
    assert third.content == (await first).content


@pytest.mark.parametrize(
    "key",
    ["", " ", "a b", "é", "\t", "a" * 256, '"', '"a', '""', '"a b"', '"a"b', '"a";b=1', r'"\a"'],
)
async def test_what_is_no_key_is_refused(empty: HttpFixture, key: str) -> None:
    answer = await empty.client.post("/fetch", headers={b"Idempotency-Key": key.encode("latin-1")})

    body = problem(answer, 400, "malformed_request")
    assert "Idempotency-Key" in body["detail"]
    assert len(empty.sources["posts"][0].asked) == 0


async def test_two_keys_are_refused(empty: HttpFixture) -> None:
    lines = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]

    answer = await empty.client.post("/fetch", headers=httpx.Headers(lines))

    problem(answer, 400, "malformed_request")


@pytest.mark.parametrize("key", ["!", "~" * 255, "a,b;c=d", '"' + "a" * 255 + '"', r'"\"\\"'])
async def test_every_visible_character_may_be_in_a_key(empty: HttpFixture, key: str) -> None:
    first, second = await post(empty, key=key), await post(empty, key=key)

    assert first.status_code == 200
    assert second.headers["idempotent-replayed"] == "true"


async def test_a_key_is_the_same_with_the_quotes_of_the_draft_and_without(
    empty: HttpFixture,
) -> None:
    await post(empty, key='"a-key"')

    answer = await post(empty, key="a-key")

    assert answer.headers["idempotent-replayed"] == "true"


async def test_a_key_opens_no_closed_door() -> None:
    fixture = HttpFixture(POSTS, gauges_dataset(fetch_by=Role.ADMIN))
    asked = fingerprint_of({**ASKED, "path": "/fetch/gauges", "query_string": b""})
    await fixture.idempotency.begin("a-key", asked, "0" * 32)
    await fixture.idempotency.end("a-key", SavedAnswer(200, {}, b"what an admin was answered"))

    problem(await post(fixture, "/fetch/gauges"), 401, "login_required")


@pytest.mark.parametrize(
    ("path", "status"), [("/fetch/comments", 404), ("/fetch?mode=x", 422), ("/fetch?x=1", 400)]
)
async def test_a_request_that_is_refused_takes_no_key(
    empty: HttpFixture, path: str, status: int
) -> None:
    refused = await post(empty, path)

    assert refused.status_code == status
    assert (await post(empty)).status_code == 200


# ---------------------------------------------------------------- failures


async def test_a_failure_is_not_remembered(empty: HttpFixture) -> None:
    empty.sources["posts"][0].failure = SourceUnavailable("no answer")
    failed = await post(empty)
    empty.sources["posts"][0].failure = None

    again = await post(empty)

    assert (failed.status_code, again.status_code) == (503, 200)
    assert "idempotent-replayed" not in again.headers


async def test_what_breaks_frees_the_key(empty: HttpFixture) -> None:
    empty.broken_intakes.failure = RuntimeError("broken")
    empty.sources["posts"][0].pages = [posts(1)]
    broken = await post(empty)
    empty.broken_intakes.failure = None

    again = await post(empty)

    assert (broken.status_code, again.status_code) == (500, 200)


async def test_a_caller_who_leaves_is_answered_when_he_comes_back(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(1)]
    empty.sources["posts"][0].takes_s = 1
    leaving = asyncio.create_task(post(empty))
    await empty.clock.settle()

    leaving.cancel()
    await empty.clock.elapse(2)
    again = await post(empty)

    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["outcome"] == "changed"
    assert len(empty.sources["posts"][0].asked) == 1


async def test_a_caller_who_leaves_a_fetch_that_fails_may_try_again(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(1)]
    empty.sources["posts"][0].takes_s = 1
    empty.sources["posts"][0].fails_after = 1
    empty.sources["posts"][0].failure = SourceUnavailable("no answer")
    leaving = asyncio.create_task(post(empty))
    await empty.clock.settle()

    leaving.cancel()
    await empty.clock.elapse(2)
    empty.sources["posts"][0].failure = None
    empty.sources["posts"][0].takes_s = 0

    assert (await post(empty)).status_code == 200


async def test_a_request_that_was_cut_off_makes_the_same_job_again(empty: HttpFixture) -> None:
    # The process died after it had taken the key, and before it stored the job.
    key = "at 127.0.0.1 a-key"
    begun = await empty.idempotency.begin(key, fingerprint_of(ASKED), "0" * 32)
    early = await post(empty, "/fetch?mode=task")
    empty.clock.advance(ABANDONED)

    late = await post(empty, "/fetch?mode=task")

    problem(early, 409, "key_in_use")
    assert (late.status_code, late.json()["job_id"]) == (202, begun.job_id)


# ---------------------------------------------------------------- a store that fails


class HesitantJobs(MemoryJobs):
    """A job store that fails after it has stored the first job."""

    asked = 0

    async def request(self, job: FetchJob) -> FetchJob:
        """Store the job, and fail after that the first time."""
        written = await super().request(job)
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable("the connection broke at the commit")
        return written


async def test_a_job_that_may_have_been_written_down_is_the_job_of_the_next_request(
    empty: HttpFixture,
) -> None:
    jobs = HesitantJobs(empty.database, empty.clock)
    fixture = HttpFixture(
        POSTS, clock=empty.clock, job_backend=replace(empty.job_backend, jobs=jobs)
    )
    unsure = await post(fixture, "/fetch?mode=task")
    [written] = empty.database.jobs.values()
    # Meanwhile the sweep has found the job, and it has ended.
    await jobs.cancel(written.id)

    again = await post(fixture, "/fetch?mode=task")

    problem(unsure, 503, "store_unavailable")
    assert again.status_code == 409
    assert again.json()["report"]["job_id"] == written.id
    assert list(empty.database.jobs) == [written.id]


class ForgetfulIdempotency(MemoryIdempotency):
    """A store of keys that cannot be updated."""

    async def end(self, key: str, answer: SavedAnswer) -> None:
        """Fail."""
        raise StoreUnavailable("gone")

    async def abandon(self, key: str) -> None:
        """Fail."""
        raise StoreUnavailable("gone")

    async def release(self, key: str) -> None:
        """Fail."""
        raise StoreUnavailable("gone")


@pytest.fixture
def forgetful(empty: HttpFixture) -> HttpFixture:
    """Return the application with keys that cannot be updated."""
    return HttpFixture(
        POSTS, clock=empty.clock, idempotency=ForgetfulIdempotency(MemoryDatabase(), empty.clock)
    )


async def test_an_answer_that_cannot_be_remembered_is_given_all_the_same(
    forgetful: HttpFixture,
) -> None:
    first = await post(forgetful)
    early = await post(forgetful)
    forgetful.clock.advance(ABANDONED)
    late = await post(forgetful)

    assert first.status_code == late.status_code == 200
    problem(early, 409, "key_in_use")
    assert late.json()["job_id"] == first.json()["job_id"]
    assert len(forgetful.sources["posts"][0].asked) == 1


async def test_a_failure_is_answered_even_if_the_key_cannot_be_freed(
    forgetful: HttpFixture,
) -> None:
    forgetful.sources["posts"][0].failure = SourceUnavailable("no answer")

    problem(await post(forgetful), 503, "source_unavailable")


# ---------------------------------------------------------------- whose key it is


async def from_network(fixture: HttpFixture, address: str, path: str = "/fetch") -> httpx.Response:
    """Send a request for a fetch from a network, with a key that other clients use, too."""
    transport = httpx.ASGITransport(fixture.app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        return await client.post(path, headers={"Idempotency-Key": "1"})


async def test_strangers_share_no_key_unless_they_share_a_network(empty: HttpFixture) -> None:
    first = await from_network(empty, "10.0.0.1")
    other = await from_network(empty, "10.0.0.2", "/fetch/gauges")
    again = await from_network(empty, "10.0.0.1")
    neighbour = await from_network(empty, "2001:db8::1")
    same = await from_network(empty, "2001:db8::2")

    assert [answer.status_code for answer in (first, other, again, neighbour, same)] == [200] * 5
    replayed = [answer.headers.get("idempotent-replayed") for answer in (other, again, neighbour)]
    assert replayed == [None, "true", None]
    assert same.headers["idempotent-replayed"] == "true"


async def test_a_user_keeps_the_key_when_the_network_changes(empty: HttpFixture) -> None:
    headers = {**await empty.headers(Role.USER), "Idempotency-Key": "1"}
    answers = []
    for address in ("10.0.0.1", "10.0.0.2"):
        transport = httpx.ASGITransport(empty.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            answers.append(await client.post("/fetch", headers=headers))

    assert answers[1].headers["idempotent-replayed"] == "true"
