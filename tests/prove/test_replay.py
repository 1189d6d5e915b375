"""P14: what was received is kept as it was, and reading all of it again gives the same records."""

import hashlib

from sqlalchemy import delete

from adapters.sql.schema.sql_dataset import SqlDataset
from domain.builtin.posts import POSTS
from domain.dataset import Role
from domain.paging import PageRequest, Sort
from entrypoints.sample_upstream import SampleUpstream
from entrypoints.wiring.container import Container
from tests.prove.figures import reported

GENERATIONS = 5


async def test_without_its_records_a_dataset_is_made_again_from_what_was_kept(
    container: Container, upstream: SampleUpstream
) -> None:
    bodies = []
    for generation in range(GENERATIONS):
        upstream.set_posts(upstream.collection(300 + 10 * generation).records)
        upstream.revise(generation)
        bodies.append(upstream.collection().whole.body)
        await container.fetch_posts()()
    before, asked = await _digest(container), upstream.count()
    kept = await _bodies(container)
    async with container.database().write() as session:
        await session.run(delete(SqlDataset.of(POSTS).table), {})
    emptied = await _digest(container)

    rebuilt = await container.rebuild_dataset()(Role.ADMIN, POSTS.name)

    after = await _digest(container)
    as_received = kept == bodies
    reported(
        "P14",
        f"equal:{int(after == before)},as_received:{int(as_received)}",
        "equal:1,as_received:1",
        after == before and as_received,
    )
    assert emptied != before
    assert after == before
    assert as_received
    assert upstream.count() == asked
    assert rebuilt.job.status == "succeeded"


async def _digest(container: Container) -> str:
    """A digest of every record, without the time at which it was written."""
    request = PageRequest(sort=Sort.parse(POSTS, "id"), limit=100_000)
    rows = (await container.store().find(POSTS, request)).rows
    plain = [(row.id, row.user_id, row.title, row.body) for row in rows]
    return hashlib.sha256(repr(plain).encode()).hexdigest()


async def _bodies(container: Container) -> list[bytes]:
    """Every body that is kept, in the order in which they came."""
    job = await container.fetch_posts().start(Role.ADMIN, force=True)
    claimed = await container.job_backend().jobs.claim(job.job.id)
    async with container.intakes().open(POSTS, "jsonplaceholder", claimed) as intake:
        kept = [each.payload.body async for each in intake.kept()]
    await container.job_backend().jobs.cancel(job.job.id)
    return kept
