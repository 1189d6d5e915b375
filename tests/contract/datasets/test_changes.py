"""Contract of `Changes`: the version changes with every commit, and only then."""

from domain.builtin.posts import POSTS, Post
from domain.filters import Filter
from tests.contract.backends import Backend


async def test_reading_moves_nothing(backend: Backend) -> None:
    before = backend.changes.version()

    await backend.store.freshness(POSTS)
    await backend.store.count(POSTS, Filter())

    assert backend.changes.version() == before


async def test_a_commit_moves_it_even_when_no_record_changed(backend: Backend) -> None:
    records = [Post(1, 1, "a title", "a body")]
    versions = [backend.changes.version()]

    for _ in range(3):
        await backend.bring(records, POSTS)
        versions.append(backend.changes.version())

    assert len(set(versions)) == len(versions)


async def test_the_commit_itself_moves_it(backend: Backend) -> None:
    job = await backend.claimed(POSTS)

    async with backend.intakes.open(POSTS, "one", job) as intake:
        kept = await intake.keep(backend.payload())
        await intake.add([Post(1, 1, "a title", "a body")], kept)
        before = backend.changes.version()
        await intake.commit(backend.checkpoint(job))

    assert backend.changes.version() != before


async def test_the_end_of_a_job_moves_it(backend: Backend) -> None:
    job = await backend.claimed(POSTS)
    before = backend.changes.version()

    await backend.end(job)

    assert backend.changes.version() != before
