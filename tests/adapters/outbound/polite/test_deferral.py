"""A source that may not be asked for long costs no request, and says when its turn comes."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from adapters.memory.in_memory import InMemory
from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.sources import HttpSource
from application.ingest.fetch import Fetch
from domain.builtin.posts import POSTS, Post
from domain.jobs import FetchJob, JobStatus, Mode
from domain.politeness import BREAKER_MINIMUM, BREAKER_OPEN_S, Admission, Rate
from tests.adapters.outbound.client_fixture import ClientFixture, open_client

SELDOM = Rate(1, 600.0)


async def spent(fixture: ClientFixture) -> datetime:
    """The budget is spent; when there is more."""
    while (asked := await fixture.budget.spend(fixture.key))[0] is Admission.GO:
        pass
    return asked[1]


async def blocked(fixture: ClientFixture) -> datetime:
    """The host has asked to be left alone until then."""
    until = fixture.clock.now() + timedelta(hours=2)
    await fixture.budget.block(fixture.key, until)
    return until


async def broken(fixture: ClientFixture) -> datetime:
    """The host keeps failing, so it is left alone until then."""
    for _ in range(BREAKER_MINIMUM):
        await fixture.budget.record_outcome(fixture.key, ok=False)
    return fixture.clock.now() + timedelta(seconds=BREAKER_OPEN_S)


def fetch_of(fixture: ClientFixture) -> Fetch[Post]:
    """The use case that fetches the posts of the sample upstream."""
    memory = InMemory(fixture.database, fixture.clock)
    source = HttpSource(jsonplaceholder(fixture.url("/posts")), fixture.client)
    return memory.fetch(POSTS, source)


@pytest.mark.parametrize("forbid", [spent, blocked, broken])
async def test_a_job_is_deferred_until_its_host_may_be_asked_and_then_asks_it(
    forbid: Callable[[ClientFixture], Awaitable[datetime]],
) -> None:
    async with open_client(rate=SELDOM) as fixture:
        until, fetch = await forbid(fixture), fetch_of(fixture)
        job = (await fetch.start(mode=Mode.TASK)).job

        waiting = await fetch.run(job.id)
        asked = fixture.upstream.count()
        fixture.clock.advance(until - fixture.clock.now())
        ended = await fetch.run(job.id)

        assert [_standing(waiting), _standing(ended)] == [
            (JobStatus.QUEUED, until),
            (JobStatus.SUCCEEDED, None),
        ]
        assert (asked, fixture.upstream.count()) == (0, 1)


def _standing(job: FetchJob | None) -> tuple[JobStatus, datetime | None]:
    assert job is not None
    return job.status, job.run_at
