"""Jobs: what became of fetches, and calling one off."""

from collections.abc import Iterable
from typing import Any

from application.ingest.job_backend import JobBackend
from application.ports.jobs import Wanted
from domain.dataset import Dataset, Role
from domain.errors import IllegalTransition, UnknownDataset, UnknownJob
from domain.jobs import FetchJob, JobStatus


class FindJob:
    """Finds one job by its identifier, for whoever may read its dataset."""

    def __init__(self, job_backend: JobBackend, datasets: Iterable[Dataset[Any]]) -> None:
        self._history = job_backend.history
        self._read_by = {dataset.name: dataset.read_by for dataset in datasets}

    async def __call__(self, job_id: str, viewer: Role) -> FetchJob:
        """The job; UnknownJob when there is none of that identifier, LoginRequired or Forbidden.

        What became of a dataset that was taken out is for admins.
        """
        job = await self._history.get(job_id)
        if job is None:
            raise UnknownJob("there is no such job")
        viewer.require(self._read_by.get(job.dataset, Role.ADMIN))
        return job


class ListJobs:
    """Lists the jobs of the datasets the viewer may read, newest first."""

    def __init__(self, job_backend: JobBackend, datasets: Iterable[Dataset[Any]]) -> None:
        self._history = job_backend.history
        self._datasets = {dataset.name: dataset for dataset in datasets}

    async def __call__(
        self,
        viewer: Role,
        limit: int,
        dataset: str | None = None,
        status: JobStatus | None = None,
        before: str | None = None,
    ) -> list[FetchJob]:
        """The jobs, older than `before` if given; UnknownDataset, LoginRequired or Forbidden."""
        if dataset is None:
            names = [d.name for d in self._datasets.values() if viewer.at_least(d.read_by)]
        elif dataset in self._datasets:
            viewer.require(self._datasets[dataset].read_by)
            names = [dataset]
        else:
            raise UnknownDataset("no dataset has that name; GET /datasets lists them")
        if not names:
            return []
        return await self._history.recent(Wanted(tuple(names), status), limit, before)


class CancelJob:
    """Calls a job off, whether it waits or runs."""

    def __init__(self, job_backend: JobBackend) -> None:
        self._job_backend = job_backend

    async def __call__(self, job_id: str, viewer: Role) -> FetchJob:
        """The cancelled job, for an admin; UnknownJob, or IllegalTransition when it has ended."""
        viewer.require(Role.ADMIN)
        cancelled = await self._job_backend.jobs.cancel(job_id)
        if cancelled is not None:
            self._job_backend.publish_run(cancelled)
            return cancelled
        if await self._job_backend.history.get(job_id) is None:
            raise UnknownJob("there is no such job")
        raise IllegalTransition("the job has ended, so it cannot be cancelled any more")
