"""A source that may not be asked for long costs no request, and says when its turn comes."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from adapters.memory.datasets import MemoryStore
from adapters.memory.jobs import MemoryJobHistory, MemoryJobs, MemorySchedules
from adapters.outbound.jsonplaceholder import JsonPlaceholderSource
from adapters.queue.embedded import EmbeddedQueue
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from domain.builtin.posts import POSTS, Post
from domain.jobs import FetchJob, JobStatus, Mode
from domain.politeness import BREAKER_MINIMUM, BREAKER_OPEN_S, Admission, Rate
from tests.adapters.outbound.stage import Stage, open_stage

SELDOM = Rate(1, 600.0)


async def spent(stage: Stage) -> datetime:
    """The budget is spent; when there is more."""
    while (asked := await stage.budget.spend(stage.key))[0] is Admission.GO:
        pass
    return asked[1]


async def blocked(stage: Stage) -> datetime:
    """The host has asked to be left alone until then."""
    until = stage.clock.now() + timedelta(hours=2)
    await stage.budget.block(stage.key, until)
    return until


async def broken(stage: Stage) -> datetime:
    """The host keeps failing, so it is left alone until then."""
    for _ in range(BREAKER_MINIMUM):
        await stage.budget.settle(stage.key, ok=False)
    return stage.clock.now() + timedelta(seconds=BREAKER_OPEN_S)


def fetch_of(stage: Stage) -> Fetch[Post]:
    """The use case that fetches the posts of the sample upstream."""
    database, clock = stage.database, stage.clock
    job_backend = JobBackend(
        MemoryJobs(database, clock),
        MemoryJobHistory(database, clock),
        EmbeddedQueue(),
        MemorySchedules(database, clock),
    )
    source = JsonPlaceholderSource(stage.client, stage.url("/posts"))
    return Fetch(POSTS, [source], MemoryStore(database, clock), clock, job_backend, stage.random)


@pytest.mark.parametrize("forbid", [spent, blocked, broken])
async def test_a_job_is_put_back_until_its_host_may_be_asked_and_then_asks_it(
    forbid: Callable[[Stage], Awaitable[datetime]],
) -> None:
    async with open_stage(rate=SELDOM) as stage:
        until, fetch = await forbid(stage), fetch_of(stage)
        job = (await fetch.start(mode=Mode.TASK)).job

        waiting = await fetch.run(job.id)
        asked = stage.upstream.count()
        stage.clock.advance(until - stage.clock.now())
        ended = await fetch.run(job.id)

        assert [_standing(waiting), _standing(ended)] == [
            (JobStatus.QUEUED, until),
            (JobStatus.SUCCEEDED, None),
        ]
        assert (asked, stage.upstream.count()) == (0, 1)


def _standing(job: FetchJob | None) -> tuple[JobStatus, datetime | None]:
    assert job is not None
    return job.status, job.run_at
