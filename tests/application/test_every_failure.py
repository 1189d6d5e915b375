"""Whatever call of a port fails, the data stays whole and the next fetch makes it good."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.memory.jobs import MemoryJobs
from adapters.memory.store import MemoryStore
from application.fetch import Fetched
from application.ports.store import Intake
from domain.checkpoints import Checkpoint, Freshness
from domain.dataset import Dataset
from domain.errors import StoreUnavailable
from domain.jobs import LEASE, FetchJob
from domain.payloads import Payload
from domain.posts import Post
from domain.reports import Counts, Rejection
from tests.application.rig import Rig, counts_of, posts

OLD, NEW = posts(2, title="old"), posts(3, title="new")
BAD = b'[{"id": "bad"}]'


class Countdown:
    """Counts calls, and fails the one it is told to: before it is done, or after."""

    def __init__(self, failing: int, after: bool) -> None:
        self.left = failing
        self.after = after

    async def call(self, work: Any) -> Any:
        """Do the work, unless this is the call that fails."""
        self.left -= 1
        if self.left == 0 and not self.after:
            work.close()
            raise StoreUnavailable("this call fails")
        result = await work
        if self.left == 0:
            raise StoreUnavailable("this call failed, but it was done")
        return result


class CountedIntake(Intake[Post]):
    """An intake whose calls are counted."""

    def __init__(self, intake: Intake[Post], countdown: Countdown) -> None:
        self._intake = intake
        self._call = countdown.call

    async def keep(self, payload: Payload) -> Payload:
        """Keep, counted."""
        kept: Payload = await self._call(self._intake.keep(payload))
        return kept

    def kept(self) -> AsyncIterator[Payload]:
        """What was kept."""
        return self._intake.kept()

    async def add(self, records: Sequence[Post], payload: Payload) -> None:
        """Add, counted."""
        await self._call(self._intake.add(records, payload))

    async def reject(self, rejections: Sequence[Rejection], payload: Payload) -> None:
        """Reject, counted."""
        await self._call(self._intake.reject(rejections, payload))

    async def commit(self, checkpoint: Checkpoint) -> Counts:
        """Commit, counted."""
        counts: Counts = await self._call(self._intake.commit(checkpoint))
        return counts


class CountedStore(MemoryStore):
    """A store whose calls are counted."""

    countdown: Countdown

    async def freshness(self, dataset: Dataset[Any]) -> Freshness:
        """The freshness, counted."""
        freshness: Freshness = await self.countdown.call(super().freshness(dataset))
        return freshness

    @asynccontextmanager
    async def intake(
        self, dataset: Dataset[Any], source: str, job: FetchJob
    ) -> AsyncIterator[Intake[Any]]:
        """An intake whose calls are counted."""
        async with super().intake(dataset, source, job) as intake:
            yield CountedIntake(intake, self.countdown)


class CountedJobs(MemoryJobs):
    """Jobs whose calls are counted."""

    countdown: Countdown

    async def request(self, job: FetchJob) -> FetchJob:
        """Request, counted."""
        requested: FetchJob = await self.countdown.call(super().request(job))
        return requested

    async def claim(self, job_id: str) -> FetchJob | None:
        """Claim, counted."""
        claimed: FetchJob | None = await self.countdown.call(super().claim(job_id))
        return claimed

    async def finish(self, job: FetchJob) -> None:
        """Finish, counted."""
        await self.countdown.call(super().finish(job))


async def _fetch(rig: Rig, countdown: Countdown) -> Fetched | None:
    store = CountedStore(rig.database, rig.clock)
    jobs = CountedJobs(rig.database, rig.clock)
    store.countdown = jobs.countdown = countdown
    source = rig.source("one", NEW, BAD, NEW[:1])
    try:
        return await rig.fetch(source, store=store, jobs=jobs)()
    except StoreUnavailable:
        return None


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "after it is done"])
async def test_whichever_call_fails_the_next_fetch_makes_it_good(after: bool) -> None:
    failing = 0
    while True:
        failing += 1
        rig = Rig()
        await rig.fetch(rig.source("one", OLD))()
        rig.clock.advance(60)
        countdown = Countdown(failing, after)

        fetched = await _fetch(rig, countdown)

        if countdown.left > 0:
            break
        assert await rig.titles() in (["old"] * 2, ["new"] * 3), "all or nothing"
        assert fetched is None
        rig.clock.advance(60)
        caller = asyncio.create_task(rig.fetch(rig.source("one", NEW, BAD, NEW[:1]))())
        await rig.clock.elapse(LEASE * 2)
        again = await caller
        assert counts_of(again).received in (0, 5)
        assert await rig.titles() == ["new"] * 3
        assert await rig.quarantine.count("posts") == 1

    assert fetched is not None
    assert counts_of(fetched) == Counts(
        received=5, inserted=1, updated=2, duplicates=1, quarantined=1
    )
    assert failing > 10
