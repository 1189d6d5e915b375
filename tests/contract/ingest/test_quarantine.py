"""Contract of `Quarantine`: rejected records wait there, each once, newest first."""

from datetime import timedelta

import msgspec
import pytest

from domain.builtin.posts import POSTS
from domain.jobs import FetchJob
from domain.reports import Rejection
from tests.contract.backends import Backend
from tests.strategies import SAMPLES

FIRST = Rejection("/0/title", "expected text, é", '{"title": 1}')
SECOND = Rejection("/1", "expected an object", "null")


async def _reject(
    backend: Backend, job: FetchJob, *rejections: Rejection, source: str = "one", page: int = 0
) -> int:
    async with backend.intakes.open(SAMPLES, source, job) as intake:
        payload = msgspec.structs.replace(backend.payload(), page=page)
        kept = await intake.keep(payload)
        await intake.reject(rejections, kept)
    return kept.receipt


async def test_nothing_waits_at_first(backend: Backend) -> None:
    assert await backend.quarantine.recent(SAMPLES.name, 10) == []
    assert await backend.quarantine.count(SAMPLES.name) == 0


async def test_a_rejection_is_kept_at_once_with_where_it_came_from(backend: Backend) -> None:
    receipt = await _reject(backend, await backend.claimed(), FIRST)

    [waiting] = await backend.quarantine.recent(SAMPLES.name, 10)

    assert (waiting.dataset, waiting.source, waiting.receipt) == (SAMPLES.name, "one", receipt)
    assert (waiting.pointer, waiting.reason, waiting.excerpt) == (
        FIRST.pointer,
        FIRST.reason,
        FIRST.excerpt,
    )
    assert waiting.rejected_at == backend.clock.now()


async def test_the_newest_come_first_and_no_more_than_asked(backend: Backend) -> None:
    job = await backend.claimed()
    many = [Rejection(f"/{number}", "is bad") for number in range(5)]
    await _reject(backend, job, *many)
    backend.clock.advance(1)
    await _reject(backend, job, SECOND)

    recent = await backend.quarantine.recent(SAMPLES.name, 2)

    assert [waiting.pointer for waiting in recent] == ["/1", "/4"]
    assert await backend.quarantine.count(SAMPLES.name) == 6


async def test_the_same_rejection_waits_only_once(backend: Backend) -> None:
    job = await backend.claimed()
    await _reject(backend, job, FIRST, SECOND, FIRST)
    backend.clock.advance(1)

    await _reject(backend, job, FIRST)

    assert await backend.quarantine.count(SAMPLES.name) == 2


async def test_a_rejection_that_comes_again_was_seen_last_now(backend: Backend) -> None:
    job = await backend.claimed()
    await _reject(backend, job, FIRST)
    backend.clock.advance(1)
    await _reject(backend, job, SECOND)
    backend.clock.advance(1)

    receipt = await _reject(backend, job, FIRST)

    recent = await backend.quarantine.recent(SAMPLES.name, 10)
    assert [waiting.pointer for waiting in recent] == [FIRST.pointer, SECOND.pointer]
    assert (recent[0].receipt, recent[0].rejected_at) == (receipt, backend.clock.now())


async def test_unstorable_characters_of_a_text_are_replaced(backend: Backend) -> None:
    await _reject(backend, await backend.claimed(), Rejection("/a\0", "\ud800", "b\0\udfff"))

    [waiting] = await backend.quarantine.recent(SAMPLES.name, 10)

    texts = (waiting.pointer, waiting.reason, waiting.excerpt)
    assert texts == ("/a\ufffd", "\ufffd", "b\ufffd\ufffd")


async def test_the_same_rejection_by_two_sources_is_two(backend: Backend) -> None:
    job = await backend.claimed()
    await _reject(backend, job, FIRST, source="one")

    await _reject(backend, job, FIRST, source="two")

    recent = await backend.quarantine.recent(SAMPLES.name, 10)
    assert {waiting.source for waiting in recent} == {"one", "two"}


async def test_datasets_do_not_see_each_others(backend: Backend) -> None:
    await _reject(backend, await backend.claimed(), FIRST)

    assert await backend.quarantine.recent("posts", 10) == []
    assert await backend.quarantine.count("posts") == 0


async def test_the_same_rejection_on_two_pages_is_two(backend: Backend) -> None:
    job = await backend.claimed()
    await _reject(backend, job, FIRST, page=0)

    await _reject(backend, job, FIRST, page=1)
    await _reject(backend, job, FIRST, page=1)

    assert await backend.quarantine.count(SAMPLES.name) == 2


async def test_one_is_found_by_its_identifier_which_stays_when_it_comes_again(
    backend: Backend,
) -> None:
    job = await backend.claimed()
    await _reject(backend, job, FIRST, SECOND)
    before = {r.pointer: r for r in await backend.quarantine.recent(SAMPLES.name, 10)}
    backend.clock.advance(1)

    receipt = await _reject(backend, job, FIRST)

    found = await backend.quarantine.get(before[FIRST.pointer].id)
    assert found == msgspec.structs.replace(
        before[FIRST.pointer], receipt=receipt, rejected_at=backend.clock.now()
    )
    assert await backend.quarantine.get(before[SECOND.pointer].id) == before[SECOND.pointer]
    assert await backend.quarantine.get(10**17) is None


async def test_all_datasets_can_be_listed_together_and_sources_alone(backend: Backend) -> None:
    job = await backend.claimed()
    await _reject(backend, job, FIRST, source="one")
    await _reject(backend, job, SECOND, source="two")
    job = await backend.claimed(POSTS)
    async with backend.intakes.open(POSTS, "two", job) as intake:
        await intake.reject([SECOND], await intake.keep(backend.payload()))

    async def listed(dataset: str | None, source: str | None) -> list[tuple[str, str]]:
        found = await backend.quarantine.recent(dataset, 10, source)
        return [(rejected.dataset, rejected.source) for rejected in found]

    everything = [("posts", "two"), (SAMPLES.name, "two"), (SAMPLES.name, "one")]
    assert await listed(None, None) == everything
    assert await listed(None, "two") == everything[:2]
    assert await listed(SAMPLES.name, "two") == everything[1:2]
    assert await listed(SAMPLES.name, "three") == []


@pytest.mark.parametrize("at_once", [1, 3, 10])
async def test_the_list_can_be_walked_a_page_at_a_time(backend: Backend, at_once: int) -> None:
    job = await backend.claimed()
    for time in range(3):
        many = [Rejection(f"/{time}/{number}", "is bad") for number in range(3)]
        await _reject(backend, job, *many)
        backend.clock.advance(timedelta(microseconds=1))
    whole = await backend.quarantine.recent(SAMPLES.name, 100)

    walked = await backend.quarantine.recent(SAMPLES.name, at_once)
    while page := await backend.quarantine.recent(
        SAMPLES.name, at_once, before=(walked[-1].rejected_at, walked[-1].id)
    ):
        walked += page

    assert walked == whole
    assert len(whole) == 9
