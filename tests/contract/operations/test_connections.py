"""Contract of `Connections`: pools keep their names and bounds, and are idle in the end."""

import asyncio

from application.ports.operations import PoolUsage
from tests.contract.backends import Backend
from tests.strategies import SAMPLES


def is_bounded(pool: PoolUsage) -> bool:
    """Return whether the numbers of a pool are consistent."""
    return 0 <= pool.busy <= pool.open <= pool.most and pool.waiting >= 0


async def test_a_pool_is_bounded_and_idle_once_everything_has_ended(backend: Backend) -> None:
    before = backend.connections.pools()
    jobs = [backend.queued() for _ in range(20)]
    await asyncio.gather(*map(backend.jobs.request, jobs))
    await asyncio.gather(*(backend.history.get(job.id) for job in jobs))
    after = backend.connections.pools()

    assert [pool.name for pool in before] == [pool.name for pool in after]
    assert len({pool.name for pool in after}) == len(after)
    assert all(map(is_bounded, after))
    assert [(pool.busy, pool.waiting) for pool in after] == [(0, 0)] * len(after)


async def test_what_writes_at_once_is_never_more_than_a_pool_has(backend: Backend) -> None:
    writing = [
        asyncio.create_task(backend.jobs.request(backend.queued(SAMPLES))) for _ in range(20)
    ]
    seen: list[PoolUsage] = []
    while not all(task.done() for task in writing):
        await asyncio.sleep(0)
        seen += backend.connections.pools()
    await asyncio.gather(*writing)

    has_pools = bool(backend.connections.pools())
    assert all(map(is_bounded, seen))
    assert any(pool.busy for pool in seen) == has_pools
    assert any(pool.waiting for pool in seen) == has_pools
