"""Jobs, schedules, alerts and pruning: whichever call fails, the next try completes it."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from application.jobs.list_jobs import CancelJob
from application.jobs.scheduler import Scheduler
from application.jobs.worker import RunJob
from application.operations.alerts import CHECK_S, AlertMonitor
from application.operations.prune import Prune
from domain.alerts import CLAIM_TIMEOUT, AlertEvent
from domain.dataset import Role
from domain.errors import IllegalTransition, SourceUnavailable
from domain.jobs import LEASE, FetchJob, JobStatus, Mode
from domain.politeness import Cadence
from domain.reports import FetchReport
from domain.retention import RetainedKind, RetentionPolicy
from tests.application.rig import adds_up, ended, posts, registry_of
from tests.application.sweeping import Case, sweep

PERIOD = timedelta(seconds=60)
DAY = timedelta(days=1)
OLD, NEW = posts(2, title="old"), posts(3, title="new")
BAD = b'[{"id": "bad"}]'


class JobsCase(Case):
    """Old posts, and an upstream with new ones."""

    def __init__(self) -> None:
        super().__init__()
        job_backend = self.counted_job_backend()
        self.posts = self.source("one", NEW, BAD, NEW[:1])
        cadence = Cadence(every=PERIOD)
        self.fetching = self.fetch(
            self.posts,
            store=self.counted(self.store),
            intakes=self.counted_intakes(),
            job_backend=job_backend,
            cadence=cadence,
        )
        known = self.registry(self.fetching)
        self.run_job = RunJob(known, job_backend)
        self.cancel = CancelJob(job_backend)
        self.keep = Scheduler(known, job_backend, self.clock, self.random)

    async def begin(self) -> None:
        await self.fetch(self.source("one", OLD))()
        self.clock.advance(PERIOD)

    async def holds(self) -> None:
        """Assert that all of a fetch is stored, or nothing of it, and every record is counted."""
        assert await self.titles() in (["old"] * 2, ["new"] * 3)
        for job in self.database.jobs.values():
            assert all(adds_up(source.counts) for source in (job.report or FetchReport()).sources)

    async def is_done(self) -> None:
        assert await self.titles() == ["new"] * 3
        assert await self.quarantine.count("posts") == 1
        assert all(job.status.is_final for job in self.database.jobs.values())


class RunningATask(JobsCase):
    """A background job, from its request to its end."""

    async def act(self) -> None:
        fetched = await self.fetching.start(mode=Mode.TASK)
        await self.run_job(fetched.job.id)
        if not fetched.job.status.is_final:
            await self._sweep()

    async def _sweep(self) -> None:
        """Sweep for abandoned jobs, as workers do."""
        for _ in range(3):
            self.clock.advance(LEASE)
            for job_id in await self.history.overdue(10):
                await self.run_job(job_id)


class Fetching(JobsCase):
    """A fetch with a waiting caller."""

    async def act(self) -> None:
        await self.fetching()

    async def act_again(self) -> None:
        # An interrupted fetch is a failure, and its source is due again.
        caller = asyncio.create_task(self.fetching())
        await self.clock.elapse(LEASE * 2)
        await caller


class Cancelling(JobsCase):
    async def begin(self) -> None:
        await super().begin()
        self.job: FetchJob = await self.queued()

    async def act(self) -> None:
        await self.cancel(self.job.id, Role.ADMIN)

    async def act_again(self) -> None:
        with contextlib.suppress(IllegalTransition):  # it is cancelled already
            await self.act()

    async def is_done(self) -> None:
        assert (await self.known(self.job.id)).status is JobStatus.CANCELLED


class Scheduling(JobsCase):
    """A scheduler, which continues after every error."""

    async def act(self) -> None:
        scheduling = asyncio.create_task(self.keep())
        await self.clock.elapse(PERIOD * 1.2)
        await ended(scheduling)

    async def is_done(self) -> None:
        jobs = [job for job in self.database.jobs.values() if job.mode is Mode.SCHEDULE]
        assert len(jobs) == 1
        assert self.database.schedules["posts"].next_run_at > self.clock.now()


class Alerting(JobsCase):
    """A dataset that was stale and has recovered: one message for each."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = AlertMonitor(
            registry_of(self.tables, self.counted(self.store), self.fetching),
            self.counted(self.budget),
            self.counted(self.alerts),
            self.counted(self.notifier, SourceUnavailable),
            self.clock,
            self.events,
        )

    async def act(self) -> None:
        self.clock.advance(PERIOD * 2)
        watching = asyncio.create_task(self.watch())
        await self.clock.elapse(CLAIM_TIMEOUT + timedelta(seconds=3 * CHECK_S))
        await self.fetch(self.source("one", NEW), cadence=Cadence(every=DAY))()
        self.clock.advance(1)
        await self.clock.elapse(CLAIM_TIMEOUT + timedelta(seconds=3 * CHECK_S))
        await ended(watching)

    async def is_done(self) -> None:
        sent = [alert.event for alert in self.notifier.sent]
        # A message of uncertain delivery is sent again; no wrong message is sent.
        assert sent[0] is AlertEvent.RAISED
        assert AlertEvent.RECOVERED in sent or self.countdown.failed
        assert len(sent) <= 4
        assert sorted(sent, key=[AlertEvent.RAISED, AlertEvent.RECOVERED].index) == sent


class Pruning(JobsCase):
    async def begin(self) -> None:
        for _ in range(3):
            await super().begin()
        self.clock.advance(DAY * 2)
        scheduling = RetentionPolicy(
            ages=dict.fromkeys(
                (RetainedKind.JOBS, RetainedKind.PAYLOADS, RetainedKind.QUARANTINE), DAY
            )
        )
        self.prune = Prune(self.counted(self.retention), self.clock, scheduling)

    async def act(self) -> None:
        pruning = asyncio.create_task(self.prune())
        await self.clock.elapse(PERIOD)
        await pruning

    async def is_done(self) -> None:
        assert await self.titles() == ["old"] * 2
        assert len(self.database.jobs) == 1
        [job] = self.database.jobs
        assert {
            self.database.fetched_by[p.receipt] for p in self.database.kept["posts", "one"]
        } == {job}


CASES = (RunningATask, Fetching, Cancelling, Scheduling, Alerting, Pruning)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
async def test_whichever_call_fails_the_next_try_completes_it(kind: type[JobsCase]) -> None:
    assert await sweep(kind) >= 2
