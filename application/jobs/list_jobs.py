"""Jobs: the use cases of finding, listing and cancelling them."""

from application.datasets.registry import Registry
from application.ingest.job_backend import JobBackend
from application.ports.jobs import JobFilter
from domain.dataset import Role
from domain.errors import IllegalTransition, UnknownDataset, UnknownJob
from domain.jobs import FetchJob, JobStatus


class FindJob:
    """The use case that finds one job by its identifier."""

    def __init__(self, job_backend: JobBackend, registry: Registry) -> None:
        self._history = job_backend.history
        self._registry = registry

    async def __call__(self, job_id: str, viewer: Role) -> FetchJob:
        """Return the job; raise UnknownJob, or LoginRequired or Forbidden for the viewer.

        The viewer must be allowed to read its dataset; only admins see jobs of removed datasets.
        """
        job = await self._history.get(job_id)
        if job is None:
            raise UnknownJob("there is no such job")
        registered = self._registry.current.catalogue.get(job.dataset)
        viewer.require(Role.ADMIN if registered is None else registered.dataset.read_by)
        return job


class ListJobs:
    """The use case that lists the jobs of the datasets the viewer may read, newest first."""

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
        """Return the jobs, those older than `before` if given.

        Raise UnknownDataset for another dataset, LoginRequired or Forbidden if the viewer may not
        read it.
        """
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
        return await self._history.recent(JobFilter(tuple(names), status), limit, before)


class CancelJob:
    """The use case that cancels a queued or running job."""

    def __init__(self, job_backend: JobBackend) -> None:
        self._job_backend = job_backend

    async def __call__(self, job_id: str, viewer: Role) -> FetchJob:
        """Cancel a job, for an admin; raise UnknownJob, or IllegalTransition if it has ended."""
        viewer.require(Role.ADMIN)
        cancelled = await self._job_backend.jobs.cancel(job_id)
        if cancelled is not None:
            self._job_backend.publish_run(cancelled)
            return cancelled
        if await self._job_backend.history.get(job_id) is None:
            raise UnknownJob("there is no such job")
        raise IllegalTransition("the job has ended, so it cannot be cancelled any more")
