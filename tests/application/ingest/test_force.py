"""Force: an administrator fetches within the minimum interval."""

import asyncio

import pytest

from domain.dataset import Role
from domain.errors import Forbidden, LoginRequired, SourceBlocked
from domain.jobs import JobStatus, Mode
from domain.reports import Outcome
from tests.application.rig import Rig, posts


async def test_force_ignores_the_interval(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()

    forced = await fetch(Role.ADMIN, force=True)

    assert (forced.outcome, forced.job.force) == (Outcome.UNCHANGED, True)
    assert len(source.asked) == 2


@pytest.mark.parametrize(
    ("viewer", "error"), [(Role.ANYONE, LoginRequired), (Role.USER, Forbidden)]
)
async def test_only_an_administrator_may_force(
    rig: Rig, viewer: Role, error: type[Exception]
) -> None:
    source = rig.source("one", posts(1))

    with pytest.raises(error):
        await rig.fetch(source)(viewer, force=True)

    assert source.asked == []


async def test_a_forced_job_sends_requests_in_any_worker(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()

    started = await fetch.start(Role.ADMIN, force=True)
    await rig.fetch(source).run(started.job.id)

    assert len(source.asked) == 2


# ---------------------------------------------------------------- together with others


async def test_force_does_not_accept_a_fresh_result_of_another_caller(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()

    plain, forced = await asyncio.gather(fetch(), fetch(Role.ADMIN, force=True))

    assert (plain.outcome, forced.outcome) == (Outcome.FRESH, Outcome.UNCHANGED)
    assert len(source.asked) == 2


@pytest.mark.parametrize("turns", range(1, 12))
async def test_force_never_waits_for_a_fresh_result_for_ever(rig: Rig, turns: int) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()
    plain = asyncio.create_task(fetch())
    for _ in range(turns):
        await asyncio.sleep(0)

    forced = await fetch(Role.ADMIN, force=True)

    assert ((await plain).outcome, forced.outcome) == (Outcome.FRESH, Outcome.UNCHANGED)


async def test_force_joins_a_fetch_that_sends_requests(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.takes_s = 3
    fetch = rig.fetch(source)
    callers = [asyncio.create_task(fetch()), asyncio.create_task(fetch(Role.ADMIN, force=True))]

    await rig.clock.elapse(3)

    plain, forced = await asyncio.gather(*callers)
    assert plain == forced
    assert len(source.asked) == 1


async def test_force_does_not_join_a_queued_job_that_would_send_no_request(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    fetch = rig.fetch(source)
    await fetch()
    waiting = await rig.queued(Mode.SCHEDULE)

    forced = await fetch(Role.ADMIN, force=True)

    assert (await rig.known(waiting.id)).status is JobStatus.SUCCEEDED
    assert (forced.job.id != waiting.id, forced.job.force) == (True, True)
    assert len(source.asked) == 2


async def test_force_accepts_the_failure_it_would_have_had_itself(rig: Rig) -> None:
    source = rig.source("one", posts(1))
    source.failure = SourceBlocked("the limit is reached", retry_at=rig.later(90))
    fetch = rig.fetch(source)

    plain, forced = await asyncio.gather(fetch(), fetch(Role.ADMIN, force=True))

    assert plain == forced
    assert forced.outcome is Outcome.FAILED
    assert len(source.asked) == 1
