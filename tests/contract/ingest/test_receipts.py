"""Contract of `Receipts`."""

import msgspec

from tests.contract.backends import Backend
from tests.strategies import SAMPLES


async def test_the_last_payload_of_a_job_is_found_with_its_source(backend: Backend) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.keep(backend.payload(b"first"))
    async with backend.intakes.open(SAMPLES, "two", job) as intake:
        kept = await intake.keep(backend.payload(b"second"))
    await backend.end(job)
    await backend.bring([])

    last = await backend.receipts.last(job.id)

    assert last is not None
    assert (last.source, last.payload) == ("two", msgspec.structs.replace(kept, etag=None))


async def test_a_job_that_received_nothing_has_none(backend: Backend) -> None:
    job = await backend.claimed()

    assert await backend.receipts.last(job.id) is None
    assert await backend.receipts.last("nothing") is None


async def test_a_body_that_came_before_is_found_whole(backend: Backend) -> None:
    body = b"x" * 3_000_000
    for _ in range(2):
        job = await backend.claimed()
        async with backend.intakes.open(SAMPLES, "one", job) as intake:
            await intake.keep(backend.payload(body))
        await backend.end(job)

        last = await backend.receipts.last(job.id)

        assert last is not None
        assert last.payload.body == body


async def test_a_damaged_body_is_none(backend: Backend) -> None:
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        kept = await intake.keep(backend.payload(b"body"))

    await backend.damage(kept.receipt)

    assert await backend.receipts.last(job.id) is None


async def test_every_body_is_read_back_once_and_a_damaged_one_is_named_by_its_arrivals(
    backend: Backend,
) -> None:
    assert [each async for each in backend.receipts.verify()] == []
    kept = []
    for body in (b"sound", b"damaged", b"damaged", b"", b"x" * 3_000_000):
        job = await backend.claimed()
        async with backend.intakes.open(SAMPLES, "one", job) as intake:
            kept.append(await intake.keep(backend.payload(body)))
        await backend.end(job)
    await backend.damage(kept[1].receipt)

    verified = [each async for each in backend.receipts.verify()]

    assert len(verified) == 4
    [damaged] = [each for each in verified if each.damaged]
    assert damaged.receipts == (kept[1].receipt, kept[2].receipt)
    assert not any(each.receipts for each in verified if not each.damaged)
