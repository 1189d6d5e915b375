"""Jobs: what became of fetches, and calling one off."""

from application.datasets.registry import Registry
from application.ingest.job_backend import JobBackend
from application.ports.jobs import Wanted
from domain.dataset import Role
from domain.errors import IllegalTransition, UnknownDataset, UnknownJob
from domain.jobs import FetchJob, JobStatus


class FindJob:
    """Finds one job by its identifier, for whoever may read its dataset."""

    def __init__(self, job_backend: JobBackend, registry: Registry) -> None:
        self._history = job_backend.history
        self._registry = registry

    async def __call__(self, job_id: str, viewer: Role) -> FetchJob:
        """The job; UnknownJob when there is none of that identifier, LoginRequired or Forbidden.

        What became of a dataset that was taken out is for admins.
        """
        job = await self._history.get(job_id)
        if job is None:
            raise UnknownJob("there is no such job")
        registered = self._registry.current.catalogue.get(job.dataset)
        viewer.require(Role.ADMIN if registered is None else registered.dataset.read_by)
        return job


class ListJobs:
    """Lists the jobs of the datasets the viewer may read, newest first."""

    def __init__(self, job_backend: JobBackend, registry: Registry) -> None:
        self._history = job_backend.history
        self._registry = registry

    async def __call__(
        self,
        viewer: Role,
        limit: int,
        dataset: str | None = None,
        status: JobStatus | None = None,
        before: str | None = None,
    ) -> list[FetchJob]:
        """The jobs, older than `before` if given; UnknownDataset, LoginRequired or Forbidden."""
        catalogue = self._registry.current.catalogue
        if dataset is None:
            names = [n for n, e in catalogue.items() if viewer.at_least(e.dataset.read_by)]
        elif dataset in catalogue:
            viewer.require(catalogue[dataset].dataset.read_by)
            names = [dataset]
        else:
            raise UnknownDataset.among(catalogue)
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
