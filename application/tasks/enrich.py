"""Enrich tasks whose repositories are due for a lookup."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from application.datasets.query import Query
from application.ingest.sync_source import JobStep
from application.ports.datasets import Store
from application.ports.ingest import Intakes
from application.ports.system import Clock
from application.ports.tasks import Tasks
from application.tasks.repository_lookup import RepositoryLookup
from domain.checkpoints import Checkpoint
from domain.dataset import Role
from domain.errors import SourceBlocked, SourceError, SourceRefused
from domain.filters import Filter
from domain.jobs import FetchJob, Mode
from domain.paging import PageRequest, Sort
from domain.reports import Counts, Failure, SourceReport, SourceStatus, Traffic
from domain.repositories import Enrichment, Finding
from domain.tasks import TASKS, Task, task_of

#: Whoever is limited without being told for how long asks again no sooner (GitHub's own advice).
LIMITED_FOR = timedelta(minutes=1)

_FAILED = Finding(Enrichment.UNAVAILABLE)


class EnrichTasks(JobStep):
    """Looks at every repository whose tasks wait for it, and at those that are due by a schedule.

    A user's change made meanwhile is never lost: what GitHub says is added to the task as it is
    then. When GitHub may not be asked any more, what is left waits until it may; when it refuses
    whoever asks, the job fails and says why, because only an operator can help.
    """

    source = "github"
    normaliser_version = "github-1"

    def __init__(
        self,
        repository_lookup: RepositoryLookup,
        tasks: Tasks,
        store: Store,
        intakes: Intakes,
        clock: Clock,
    ) -> None:
        self.host = repository_lookup.host
        self._look_at = repository_lookup
        self._tasks = tasks
        self._intakes = intakes
        self._query = Query(TASKS, store)
        self._clock = clock

    async def __call__(
        self, job: FetchJob, checkpoint: Checkpoint | None, deadline: datetime, due: bool = True
    ) -> SourceReport:
        """Enrich what can be enriched before the deadline; a failure is a report, no exception."""
        so_far = _SoFar(deadline=deadline)
        while so_far.stopped is None and (names := await self._wanted(job, so_far.seen)):
            await self._enrich_all(names, so_far)
        if so_far.stopped is not None:
            return so_far.report(so_far.stopped)
        if so_far.failure is not None and not so_far.answers:
            return so_far.report(SourceStatus.FAILED)
        await self._note(job, so_far.counts)
        return so_far.report(SourceStatus.PARTIAL if so_far.failure else SourceStatus.SUCCEEDED)

    async def reprocess(
        self, job: FetchJob, checkpoint: Checkpoint | None, dry_run: bool = False
    ) -> SourceReport:
        """Nothing: of what GitHub said only the facts are kept."""
        return SourceReport(source=self.source, status=SourceStatus.SUCCEEDED)

    def done(self, checkpoint: Checkpoint) -> SourceReport:
        """What the job of this checkpoint did."""
        status = SourceStatus.SUCCEEDED
        return SourceReport(source=self.source, status=status, counts=checkpoint.counts)

    # ------------------------------------------------------------ which repositories

    async def _wanted(self, job: FetchJob, seen: set[str]) -> list[str]:
        """Those nobody knows anything of come first, also those that were asked for meanwhile."""
        names: dict[str, None] = {}
        for enrichment in (Enrichment.PENDING, Enrichment.UNAVAILABLE):
            async for row in self._walk(_whose("repository", enrichment=enrichment)):
                names[row.repository] = None
        if job.mode is Mode.SCHEDULE:
            names |= dict.fromkeys(await self._look_at.due())
        return [name for name in names if name not in seen]

    async def _walk(self, request: PageRequest) -> AsyncIterator[Any]:
        async for rows in self._query.for_role(Role.ADMIN).walk(request):
            for row in rows:
                yield row

    # ------------------------------------------------------------ one repository

    async def _enrich_all(self, names: list[str], so_far: "_SoFar") -> None:
        for name in names:
            so_far.seen.add(name)
            if so_far.stopped is None:
                await self._enrich(name, so_far)

    async def _enrich(self, name: str, so_far: "_SoFar") -> None:
        its_tasks = _whose("", repository=name)
        some = await self._query(msgspec.structs.replace(its_tasks, limit=1), Role.ADMIN)
        if not some.rows:
            await self._look_at.forget(name)
            return
        if self._clock.now() >= so_far.deadline:
            so_far.stop("source_timed_out", "there was no time for more", self._clock.now())
            return
        finding = await self._looked(name, so_far)
        if finding is None:
            return
        async for row in self._walk(its_tasks):
            so_far.counts += await self._told(task_of(row), finding)

    async def _looked(self, name: str, so_far: "_SoFar") -> Finding | None:
        """What came of a look; None when no more can be asked for now."""
        try:
            known = await self._look_at(name, so_far.deadline, so_far.traffic)
        except SourceError as error:
            retry_at = error.retry_at
            if retry_at is None and isinstance(error, SourceBlocked):
                retry_at = self._clock.now() + LIMITED_FOR
            if retry_at is None and self._clock.now() >= so_far.deadline:
                retry_at = self._clock.now()
            if retry_at is not None:
                so_far.stop(error.code, error.detail, retry_at)
                if isinstance(error, SourceRefused):
                    so_far.stopped = SourceStatus.FAILED
                return None
            so_far.failure = Failure(error.code, error.detail)
            return _FAILED
        so_far.answers += 1
        return known.finding

    async def _told(self, seen: Task, finding: Finding) -> Counts:
        """Add what was found to a task, as it is now, if it still speaks of that repository."""
        now = self._clock.now()
        if seen.enriched(finding, now) == seen:
            return Counts(received=1, unchanged=1)

        def change(task: Task) -> Task:
            return task.enriched(finding, now) if task.repository == seen.repository else task

        row = await self._tasks.change(seen.id, change)
        # It may have been deleted meanwhile.
        return Counts(received=1, updated=1) if row is not None else Counts()

    # ------------------------------------------------------------ how it ended

    async def _note(self, job: FetchJob, counts: Counts) -> None:
        async with self._intakes.open(TASKS, self.source, job) as intake:
            await intake.commit(
                Checkpoint(
                    source=self.source,
                    fetched_at=self._clock.now(),
                    job_id=job.id,
                    normaliser_version=self.normaliser_version,
                    counts=counts,
                )
            )


class _SoFar(msgspec.Struct, kw_only=True):
    """How far one job is."""

    deadline: datetime
    seen: set[str] = msgspec.field(default_factory=set)
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    counts: Counts = Counts()
    answers: int = 0
    failure: Failure | None = None
    stopped: SourceStatus | None = None

    def stop(self, code: str, detail: str, retry_at: datetime) -> None:
        """Do no more for now; what is left can be done at that time."""
        self.failure = Failure(code, detail, retry_at)
        self.stopped = SourceStatus.PARTIAL

    def report(self, status: SourceStatus) -> SourceReport:
        """What there is to tell."""
        return SourceReport(
            source=EnrichTasks.source,
            status=status,
            error=self.failure,
            counts=self.counts,
            **msgspec.structs.asdict(self.traffic),
        )


def _whose(sort: str, **wanted: str) -> PageRequest:
    """The tasks of which this is true, in an order that an index has."""
    filter = Filter.parse(TASKS.fields, wanted.items())
    return PageRequest(filter=filter, sort=Sort.parse(TASKS, sort))
