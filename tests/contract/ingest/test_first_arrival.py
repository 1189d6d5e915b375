"""A data point that is sent again later is what it was when it first arrived."""

import msgspec

from adapters.memory.operations import MemoryEvents, MemoryTracer
from adapters.outbound.builtin.data_points import telemetry
from application.ingest.sync_source import SourceSync
from domain.builtin.data_points import DATA_POINTS, TOO_OLD, point_of
from domain.jobs import Mode
from domain.payloads import Payload, Replay
from domain.reports import Counts, Rejection
from tests.contract.backends import Backend
from tests.contract.ingest.test_upgrade import BEFORE, Away

VALUE = [157, 42, 76, 190]


async def sent(backend: Backend, at: int, *, is_read: bool = True) -> Counts:
    """Fetch the point of that time, as it is now; without a row where it is not read."""
    body = msgspec.json.encode({"time": at, "value": VALUE, "tags": []})
    point = point_of(at, VALUE, [], backend.clock.now())
    job = await backend.claimed(DATA_POINTS)
    async with backend.intakes.open(DATA_POINTS, "telemetry", job) as intake:
        kept = await intake.keep(backend.payload(body))
        await intake.add([point] if is_read else [], kept)
        known = msgspec.structs.replace(
            backend.checkpoint(job, "telemetry"), normaliser_version=BEFORE
        )
        counts = await intake.commit(known)
    await backend.end(job)
    return counts


async def stored(backend: Backend) -> list[tuple[bool, tuple[str, ...]]]:
    """Return whether each stored point is valid, and its tags."""
    return [(row.valid, tuple(row.tags)) for row in await backend.everything(DATA_POINTS)]


async def test_a_point_sent_again_when_it_is_old_stays_valid(backend: Backend) -> None:
    at = int(backend.clock.now().timestamp())
    await sent(backend, at)
    await sent(backend, at + 1)
    before = await backend.everything(DATA_POINTS)
    backend.clock.advance(7200)

    assert await sent(backend, at) == Counts(received=1, unchanged=1)
    assert await backend.everything(DATA_POINTS) == before
    assert await stored(backend) == [(True, ()), (True, ())]


async def test_of_several_arrivals_added_at_once_the_first_counts(backend: Backend) -> None:
    at = int(backend.clock.now().timestamp())
    job = await backend.claimed(DATA_POINTS)
    async with backend.intakes.open(DATA_POINTS, "telemetry", job) as intake:
        for _ in range(2):
            kept = await intake.keep(backend.payload(b"{}"))
            await intake.add([point_of(at, VALUE, [], backend.clock.now())], kept)
            backend.clock.advance(7200)
        counts = await intake.commit(backend.checkpoint(job, "telemetry"))

    assert counts == Counts(received=2, inserted=1, duplicates=1)
    assert await stored(backend) == [(True, ())]


async def test_a_rebuild_lets_the_first_arrival_count(backend: Backend) -> None:
    at = int(backend.clock.now().timestamp())
    await sent(backend, at)
    backend.clock.advance(7200)
    await sent(backend, at)
    seq = (await backend.store.freshness(DATA_POINTS)).seq

    counts = await reprocessed(backend)

    assert counts == Counts(received=2, unchanged=1, duplicates=1)
    assert (await backend.store.freshness(DATA_POINTS)).seq == seq
    assert await stored(backend) == [(True, ())]


async def test_an_upgrade_corrects_points_that_a_later_arrival_replaced(backend: Backend) -> None:
    at = int(backend.clock.now().timestamp())
    await sent(backend, at, is_read=False)
    backend.clock.advance(7200)
    await sent(backend, at)
    before = await stored(backend)

    counts = await reprocessed(backend)

    assert before == [(False, (TOO_OLD,))]
    assert counts == Counts(received=2, updated=1, duplicates=1)
    assert await stored(backend) == [(True, ())]


async def test_a_replay_reads_the_first_arrival_of_what_waits(backend: Backend) -> None:
    kept: list[Payload] = []
    for _ in range(2):
        job = await backend.claimed(DATA_POINTS)
        async with backend.intakes.open(DATA_POINTS, "telemetry", job) as intake:
            kept.append(await intake.keep(backend.payload(b"{}")))
            await intake.reject([Rejection("", "is bad")], kept[-1])
            await intake.commit(backend.checkpoint(job, "telemetry"))
        await backend.end(job)
    job = await backend.claimed(DATA_POINTS)

    async with backend.intakes.open(DATA_POINTS, "telemetry", job) as intake:
        read = [one.receipt.id async for one in intake.kept(Replay())]

    assert read == [one.receipt for one in kept]


async def reprocessed(backend: Backend) -> Counts:
    """Read all that was kept again, as a rebuild and the first fetch after an upgrade do."""
    source = Away(telemetry("http://away.example/"))
    sync = SourceSync(
        DATA_POINTS, source, backend.intakes, backend.clock, MemoryEvents(), MemoryTracer()
    )
    job = await backend.claimed(DATA_POINTS)
    known = (await backend.store.freshness(DATA_POINTS)).of("telemetry")
    rebuild = msgspec.structs.replace(job, mode=Mode.REBUILD)
    report = await sync.reprocess(rebuild, known)
    await backend.end(job)
    assert report.error is None
    return report.counts
