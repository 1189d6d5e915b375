"""The enrichment of tasks whose repositories are due for a lookup."""

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

#: The wait after a rate limit without a time, as GitHub's documentation advises.
LIMITED_FOR = timedelta(minutes=1)

_FAILED = Finding(Enrichment.UNAVAILABLE)


class EnrichTasks(JobStep):
    """The job step that looks up the repositories of pending tasks, and those due by a schedule.

    A user's concurrent change is never lost: facts are added to the latest version of a task. At
    GitHub's rate limit the rest waits until requests are allowed again. If GitHub refuses the
    caller, the job fails with the reason, because only an operator can help.
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
        self._lookup = repository_lookup
        self._tasks = tasks
        self._intakes = intakes
        self._query = Query(TASKS, store)
        self._clock = clock

    async def __call__(
        self, job: FetchJob, checkpoint: Checkpoint | None, deadline: datetime, due: bool = True
    ) -> SourceReport:
        """Enrich tasks until the deadline; a failure is reported, not raised."""
        so_far = _Progress(deadline=deadline)
        while so_far.stopped is None and (names := await self._due(job, so_far.seen)):
            await self._enrich_all(names, so_far)
        if so_far.stopped is not None:
            return so_far.report(so_far.stopped)
        if so_far.failure is not None and not so_far.answers:
            return so_far.report(SourceStatus.FAILED)
        await self._store_checkpoint(job, so_far.counts)
        return so_far.report(SourceStatus.PARTIAL if so_far.failure else SourceStatus.SUCCEEDED)

    async def reprocess(
        self, job: FetchJob, checkpoint: Checkpoint | None, dry_run: bool = False
    ) -> SourceReport:
        """Return an empty report: GitHub's responses are not stored, only their facts."""
        return SourceReport(source=self.source, status=SourceStatus.SUCCEEDED)

    def done(self, checkpoint: Checkpoint) -> SourceReport:
        """Return the report of this checkpoint's job."""
        status = SourceStatus.SUCCEEDED
        return SourceReport(source=self.source, status=status, counts=checkpoint.counts)

    # ------------------------------------------------------------ which repositories

    async def _due(self, job: FetchJob, seen: set[str]) -> list[str]:
        """Return the repositories to look up, pending ones first, with tasks added meanwhile."""
        names: dict[str, None] = {}
        for enrichment in (Enrichment.PENDING, Enrichment.UNAVAILABLE):
            async for row in self._walk(_tasks_with("repository", enrichment=enrichment)):
                names[row.repository] = None
        if job.mode is Mode.SCHEDULE:
            names |= dict.fromkeys(await self._lookup.due())
        return [name for name in names if name not in seen]

    async def _walk(self, request: PageRequest) -> AsyncIterator[Any]:
        async for rows in self._query.for_role(Role.ADMIN).walk(request):
            for row in rows:
                yield row

    # ------------------------------------------------------------ one repository

    async def _enrich_all(self, names: list[str], so_far: "_Progress") -> None:
        for name in names:
            so_far.seen.add(name)
            if so_far.stopped is None:
                await self._enrich(name, so_far)

    async def _enrich(self, name: str, so_far: "_Progress") -> None:
        its_tasks = _tasks_with("", repository=name)
        some = await self._query(msgspec.structs.replace(its_tasks, limit=1), Role.ADMIN)
        if not some.rows:
            await self._lookup.forget(name)
            return
        if self._clock.now() >= so_far.deadline:
            so_far.stop("source_timed_out", "there was no time for more", self._clock.now())
            return
        finding = await self._find(name, so_far)
        if finding is None:
            return
        async for row in self._walk(its_tasks):
            so_far.counts += await self._add_facts(task_of(row), finding)

    async def _find(self, name: str, so_far: "_Progress") -> Finding | None:
        """Return the result of a lookup; None if no more requests are allowed for now."""
        try:
            known = await self._lookup(name, so_far.deadline, so_far.traffic)
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

    async def _add_facts(self, seen: Task, finding: Finding) -> Counts:
        """Add the finding to the latest version of a task, if that has the same repository."""
        now = self._clock.now()
        if seen.enriched(finding, now) == seen:
            return Counts(received=1, unchanged=1)

        def change(task: Task) -> Task:
            return task.enriched(finding, now) if task.repository == seen.repository else task

        row = await self._tasks.change(seen.id, change)
        # The task may have been deleted meanwhile.
        return Counts(received=1, updated=1) if row is not None else Counts()

    # ------------------------------------------------------------ how it ended

    async def _store_checkpoint(self, job: FetchJob, counts: Counts) -> None:
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


class _Progress(msgspec.Struct, kw_only=True):
    """The progress of one job."""

    deadline: datetime
    seen: set[str] = msgspec.field(default_factory=set)
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    counts: Counts = Counts()
    answers: int = 0
    failure: Failure | None = None
    stopped: SourceStatus | None = None

    def stop(self, code: str, detail: str, retry_at: datetime) -> None:
        """Stop the job; the rest can be done from that time on."""
        self.failure = Failure(code, detail, retry_at)
        self.stopped = SourceStatus.PARTIAL

    def report(self, status: SourceStatus) -> SourceReport:
        """Return the report of the job."""
        return SourceReport(
            source=EnrichTasks.source,
            status=status,
            error=self.failure,
            counts=self.counts,
            **msgspec.structs.asdict(self.traffic),
        )


def _tasks_with(sort: str, **values: str) -> PageRequest:
    """Return a request for the tasks with these values, in the order of an index."""
    filter = Filter.parse(TASKS.fields, values.items())
    return PageRequest(filter=filter, sort=Sort.parse(TASKS, sort))
