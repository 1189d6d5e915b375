"""Jobs: finding, listing and cancelling them."""

import msgspec
import pytest

from application.datasets.registry import Registry
from application.jobs.list_jobs import CancelJob, FindJob, ListJobs
from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset, Role
from domain.errors import (
    Forbidden,
    IllegalTransition,
    LoginRequired,
    UnknownDataset,
    UnknownJob,
)
from domain.events import JobEnded
from domain.jobs import FetchJob, JobStatus
from tests.application.rig import Rig, posts

SECRET = Dataset(name="secret", record=Post, key=("id",), read_by=Role.ADMIN)


async def ended(rig: Rig, dataset: Dataset[Post] = POSTS) -> FetchJob:
    """Store an ended job."""
    rig.clock.advance(60)
    return (await rig.fetch(rig.source("one", posts(1)), dataset=dataset)()).job


def known(rig: Rig, *datasets: Dataset[Post]) -> Registry:
    """Return a registry of these datasets."""
    return rig.registry(*(rig.fetch(dataset=dataset) for dataset in datasets))


# ---------------------------------------------------------------- one


async def test_a_job_is_found_by_its_identifier(rig: Rig) -> None:
    job = await ended(rig)

    assert await FindJob(rig.job_backend, known(rig, POSTS))(job.id, Role.ANYONE) == job


async def test_a_missing_job_is_unknown(rig: Rig) -> None:
    with pytest.raises(UnknownJob, match="no such job"):
        await FindJob(rig.job_backend, known(rig, POSTS))("nothing", Role.ADMIN)


async def test_a_job_is_shown_to_readers_of_its_dataset(rig: Rig) -> None:
    job = await ended(rig, SECRET)

    with pytest.raises(LoginRequired):
        await FindJob(rig.job_backend, known(rig, SECRET))(job.id, Role.ANYONE)
    with pytest.raises(Forbidden):
        await FindJob(rig.job_backend, known(rig, SECRET))(job.id, Role.USER)
    assert await FindJob(rig.job_backend, known(rig, SECRET))(job.id, Role.ADMIN) == job


async def test_a_job_of_a_removed_dataset_is_shown_to_admins(rig: Rig) -> None:
    job = await ended(rig)

    with pytest.raises(LoginRequired):
        await FindJob(rig.job_backend, rig.registry())(job.id, Role.ANYONE)
    assert await FindJob(rig.job_backend, rig.registry())(job.id, Role.ADMIN) == job


# ---------------------------------------------------------------- many


@pytest.fixture
def list_jobs(rig: Rig) -> ListJobs:
    """Return the use case that lists the jobs of a public dataset and a secret one."""
    return ListJobs(rig.job_backend, known(rig, POSTS, SECRET))


async def test_jobs_are_listed_newest_first_and_from_any_of_them_on(
    rig: Rig, list_jobs: ListJobs
) -> None:
    one, two, three = [await ended(rig) for _ in range(3)]

    assert await list_jobs(Role.ANYONE, 10) == [three, two, one]
    assert await list_jobs(Role.ANYONE, 2) == [three, two]
    assert await list_jobs(Role.ANYONE, 10, before=three.id) == [two, one]
    assert await list_jobs(Role.ANYONE, 10, before=one.id) == []


async def test_jobs_are_listed_by_status(rig: Rig, list_jobs: ListJobs) -> None:
    done = await ended(rig)
    waiting = await rig.queued()

    assert await list_jobs(Role.ANYONE, 10, status=JobStatus.SUCCEEDED) == [done]
    assert await list_jobs(Role.ANYONE, 10, status=JobStatus.QUEUED) == [waiting]
    assert await list_jobs(Role.ANYONE, 10, status=JobStatus.FAILED) == []


async def test_a_viewer_sees_the_jobs_of_what_they_may_read(rig: Rig, list_jobs: ListJobs) -> None:
    shown, hidden = await ended(rig), await ended(rig, SECRET)

    seen = {viewer: await list_jobs(viewer, 10) for viewer in Role}

    assert seen == {Role.ANYONE: [shown], Role.USER: [shown], Role.ADMIN: [hidden, shown]}
    assert await list_jobs(Role.ADMIN, 10, dataset="secret") == [hidden]
    assert await list_jobs(Role.ADMIN, 10, dataset="posts") == [shown]


@pytest.mark.parametrize(
    ("viewer", "error"), [(Role.ANYONE, LoginRequired), (Role.USER, Forbidden)]
)
async def test_a_viewer_who_may_not_read_a_dataset_may_not_list_its_jobs(
    rig: Rig, list_jobs: ListJobs, viewer: Role, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await list_jobs(viewer, 10, dataset="secret")


async def test_jobs_of_an_unknown_dataset_cannot_be_listed(rig: Rig, list_jobs: ListJobs) -> None:
    await ended(rig, Dataset(name="gone", record=Post, key=("id",)))

    assert await list_jobs(Role.ADMIN, 10) == []
    with pytest.raises(UnknownDataset):
        await list_jobs(Role.ADMIN, 10, dataset="gone")


async def test_a_viewer_who_may_read_nothing_gets_an_empty_list(rig: Rig) -> None:
    await ended(rig, SECRET)

    assert await ListJobs(rig.job_backend, known(rig, SECRET))(Role.ANYONE, 10) == []


# ---------------------------------------------------------------- cancelling


async def test_a_cancelled_queued_job_never_runs(rig: Rig) -> None:
    job = await rig.queued()
    source = rig.source("one", posts(1))

    cancelled = await CancelJob(rig.job_backend)(job.id, Role.ADMIN)

    assert cancelled == job.cancelled(rig.clock.now())
    assert await rig.known(job.id) == cancelled
    assert rig.events.published == [JobEnded(job=cancelled)]
    assert await rig.fetch(source).run(job.id) is None
    assert source.asked == []


async def test_a_running_job_can_be_cancelled(rig: Rig) -> None:
    running = await rig.abandoned()

    cancelled = await CancelJob(rig.job_backend)(running.id, Role.ADMIN)

    assert cancelled == running.cancelled(rig.clock.now())


@pytest.mark.parametrize(
    ("viewer", "error"), [(Role.ANYONE, LoginRequired), (Role.USER, Forbidden)]
)
async def test_only_an_administrator_may_cancel_a_job(
    rig: Rig, viewer: Role, error: type[Exception]
) -> None:
    job = await rig.queued()

    with pytest.raises(error):
        await CancelJob(rig.job_backend)(job.id, viewer)

    assert await rig.known(job.id) == job


async def test_an_ended_job_cannot_be_cancelled(rig: Rig) -> None:
    job = await ended(rig)

    with pytest.raises(IllegalTransition, match="has ended"):
        await CancelJob(rig.job_backend)(job.id, Role.ADMIN)

    assert await rig.known(job.id) == job


async def test_a_missing_job_cannot_be_cancelled(rig: Rig) -> None:
    with pytest.raises(UnknownJob):
        await CancelJob(rig.job_backend)("nothing", Role.ADMIN)


async def test_a_cancelled_job_makes_room_for_the_next(rig: Rig) -> None:
    job = await rig.queued()
    await CancelJob(rig.job_backend)(job.id, Role.ADMIN)

    again = await rig.fetch(rig.source("one", posts(1)))()

    assert again.job.id != job.id
    assert msgspec.structs.astuple(again.job.report) != ()  # type: ignore[arg-type]
