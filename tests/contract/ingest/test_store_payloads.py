"""Contract of `Intake`: payloads are stored, however the fetch ends."""

from datetime import timedelta

import msgspec

from domain.payloads import Arrivals, Payload
from tests.contract.backends import Backend
from tests.strategies import SAMPLES

BODIES = [b"[1]", b"", b"[1]", bytes(range(256)), b"a" * 3_000_000]


async def _keep(
    backend: Backend, bodies: list[bytes], source: str = "one", commits: bool = True
) -> list[Payload]:
    job = await backend.claimed()
    kept = []
    async with backend.intakes.open(SAMPLES, source, job) as intake:
        for page, body in enumerate(bodies):
            received_at = backend.clock.now() + timedelta(microseconds=page)
            payload = Payload(
                url=f"https://example.com/é?page={page}",
                body=body,
                content_type="application/json; charset=utf-8",
                received_at=received_at,
                page=page,
            )
            kept.append(await intake.keep(payload))
        if commits:
            await intake.commit(backend.checkpoint(job, source))
    await backend.end(job)
    return kept


async def _kept(backend: Backend, source: str = "one") -> list[Payload]:
    job = await backend.jobs.request(backend.queued())
    async with backend.intakes.open(SAMPLES, source, job) as intake:
        return [kept.payload async for kept in intake.kept()]


async def test_payloads_come_back_in_order_byte_for_byte(backend: Backend) -> None:
    kept = await _keep(backend, BODIES)

    assert [payload.body for payload in kept] == BODIES
    assert await _kept(backend) == [msgspec.structs.replace(one, is_known=False) for one in kept]


async def test_a_payload_is_known_when_the_same_bytes_were_kept_before(backend: Backend) -> None:
    first = await _keep(backend, [b"", b"1", b"1"])
    again = await _keep(backend, [b"1", b"2", b""], source="two", commits=False)

    assert [payload.is_known for payload in first + again] == [
        *[False, False, True],
        *[True, False, True],
    ]


async def test_the_pages_of_a_walk_can_be_read_before_they_are_committed(backend: Backend) -> None:
    await _keep(backend, [b"1", b"2"])
    await _keep(backend, [b"another source's"], source="two")
    job = await backend.claimed()

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        pages = [await intake.keep(backend.payload(body)) for body in (b"1", b"3")]
        read = [kept.payload async for kept in intake.kept(Arrivals(pages[0].receipt))]

    assert read == [msgspec.structs.replace(page, is_known=False) for page in pages]


async def test_payloads_of_an_uncommitted_fetch_are_not_read_again(
    backend: Backend,
) -> None:
    await _keep(backend, [b"before"])
    await _keep(backend, [b"an error page"], commits=False)
    await _keep(backend, [b"after"])

    assert [payload.body for payload in await _kept(backend)] == [b"before", b"after"]


async def test_receipts_are_numbers_that_grow(backend: Backend) -> None:
    kept = [*await _keep(backend, BODIES[:3], "one"), *await _keep(backend, BODIES[:3], "two")]

    receipts = [payload.receipt for payload in kept]

    assert receipts == sorted(set(receipts))
    assert receipts[0] > 0


async def test_a_body_that_comes_again_gets_a_receipt_of_its_own(backend: Backend) -> None:
    kept = await _keep(backend, [b"same", b"same"])

    again = await _kept(backend)

    assert kept[0].receipt < kept[1].receipt
    assert [payload.body for payload in again] == [b"same", b"same"]


async def test_payloads_of_one_source_are_not_shown_to_another(backend: Backend) -> None:
    await _keep(backend, [b"same", b"one's"], "one")
    await _keep(backend, [b"same", b"two's"], "two")

    assert [payload.body for payload in await _kept(backend, "two")] == [b"same", b"two's"]
    assert await _kept(backend, "three") == []


async def test_payloads_can_be_read_while_records_are_added(backend: Backend) -> None:
    await _keep(backend, [b"1", b"2", b"3"])
    job = await backend.claimed()
    seen = []

    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        async for kept in intake.kept():
            await intake.add([], kept.payload)
            seen.append(kept.payload.body)
        await intake.commit(backend.checkpoint(job))

    assert seen == [b"1", b"2", b"3"]
