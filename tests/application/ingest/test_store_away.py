"""Jobs whose store fails in the middle: those without a waiting caller are tried again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.memory.ingest import MemoryIntakes
from application.ports.ingest import Intake
from domain.dataset import Dataset
from domain.errors import StoreUnavailable
from domain.jobs import LEASE, MAX_ATTEMPTS, FetchJob, JobStatus, Mode
from tests.application.rig import Rig, posts


class AwayIntakes(MemoryIntakes):
    """Intakes that do not open while the store is unavailable."""

    away = True

    @asynccontextmanager
    async def open(
        self, dataset: Dataset[Any], source: str, job: FetchJob
    ) -> AsyncIterator[Intake[Any]]:
        """Open an intake, unless the store is unavailable."""
        if self.away:
            raise StoreUnavailable("the database was restarted")
        async with super().open(dataset, source, job) as intake:
            yield intake


@pytest.mark.parametrize("mode", [Mode.TASK, Mode.SCHEDULE])
async def test_a_background_job_is_tried_again_once_its_lease_has_expired(
    rig: Rig, mode: Mode
) -> None:
    intakes = AwayIntakes(rig.database, rig.clock)
    fetch = rig.fetch(rig.source("one", posts(1)), intakes=intakes)
    job = await rig.queued(mode)

    with pytest.raises(StoreUnavailable):
        await fetch.run(job.id)
    meanwhile = await rig.known(job.id)
    intakes.away = False
    rig.clock.advance(LEASE)
    ran = await fetch.run(job.id)

    assert meanwhile.status is JobStatus.RUNNING
    assert ran is not None
    assert (ran.status, ran.attempts) == (JobStatus.SUCCEEDED, 2)


async def test_a_job_is_not_tried_for_ever(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), intakes=AwayIntakes(rig.database, rig.clock))
    job = await rig.queued()

    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(StoreUnavailable):
            await fetch.run(job.id)
        rig.clock.advance(LEASE)

    assert (await rig.known(job.id)).status is JobStatus.FAILED


async def test_a_job_with_a_waiting_caller_ends_with_the_error(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)), intakes=AwayIntakes(rig.database, rig.clock))

    with pytest.raises(StoreUnavailable):
        await fetch()

    assert rig.last.status is JobStatus.FAILED
