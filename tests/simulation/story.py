"""One simulation: bad times, then good ones, and what became of every promise."""

import asyncio
import contextlib
import gc
from dataclasses import dataclass, field
from datetime import timedelta

from adapters.memory.system import SeededRandom, SteerableClock
from domain.reports import Counts
from tests.simulation.clients import Clients
from tests.simulation.datasets import FEEDS, RATE
from tests.simulation.loop import run
from tests.simulation.stores import prepare
from tests.simulation.upstream import most_in_a_window
from tests.simulation.world import DEADLINE, World

STORM_S = 30.0
_LOOK_S = 0.5
_LOOKS_AT_A_MERGE = 3
#: So many merges are cut off by a loss of power.
_CUT_OFF_SHARE = 0.08
_DAYS = timedelta(days=2)
#: What waits for a breaker or a blocked host has its turn within so many seconds.
CALM_S = 900.0


@dataclass
class Ending:
    """What there is to tell of one simulation."""

    seed: int
    record: str
    broken: list[tuple[str, str]]
    seen: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def tell(seed: int, kind: str, keep: bool = False) -> Ending:
    """Let a world live through the storm that its seed makes."""
    prepare(kind)
    clock = SteerableClock()
    world = World(seed, kind, clock, keep)
    # What is collected at another time would be closed at another time.
    gc.disable()
    try:
        seen = run(clock, SeededRandom(seed + 2_000_000), lambda: _lived(world))
    finally:
        gc.enable()
    return Ending(seed, world.fate.record, world.witness.broken, seen, world.fate.lines)


async def _lived(world: World) -> dict[str, int]:
    fate = world.fate
    await world.begin(
        api=1 + int(fate.toss()),
        worker=1 + int(fate.random.fraction() * 3),
        scheduler=1 + int(fate.toss()),
    )
    clients = Clients(world)
    looking = asyncio.create_task(_look(world))
    acting = [asyncio.create_task(act) for act in (_mischief(world), _come(world, clients))]
    await world.clock.sleep(STORM_S)
    for act in acting:
        act.cancel()
    await asyncio.wait(acting)
    await _calm(world, clients)
    looking.cancel()
    await asyncio.wait([looking])
    await _judge(world, clients)
    await _listen(world)
    await world.end()
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in (looking, *acting):
        if not task.cancelled() and task.exception() is not None:
            raise task.exception() or AssertionError
    world.fate.note("ends", len(world.upstream.arrivals), sorted(world.witness.seen.items()))
    return _counted(world, clients)


def _counted(world: World, clients: Clients) -> dict[str, int]:
    return {
        "accepted": len(clients.accepted),
        "jobs": len(world.lookout.jobs),
        "looks": world.lookout.looks,
        "requests": len(world.upstream.arrivals),
        "keys": len(world.witness.keys),
        **world.witness.seen,
    }


# ---------------------------------------------------------------- failures


async def _look(world: World) -> None:
    """Look now and then, and several times while anything is merged; it may be cut off there."""
    critical = world.fate.critical
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await critical.wait()
        if critical.is_set():
            critical.clear()
            if world.fate.storming and world.fate.toss(_CUT_OFF_SHARE):
                await world.clock.sleep(world.fate.between(0.0, 0.004))
                await _power(world)
            for _ in range(_LOOKS_AT_A_MERGE):
                await world.lookout.look(world.backend)
        await world.lookout.look(world.backend)


async def _come(world: World, clients: Clients) -> None:
    while True:
        await world.clock.sleep(3 * world.fate.random.fraction() ** 2)
        clients.come()
        if world.fate.toss(0.4):
            world.fate.pick(list(world.upstream.feeds.values())).change(world.fate.random)


async def _mischief(world: World) -> None:
    while True:
        await world.clock.sleep(world.fate.between(0.0, 5.0))
        await world.fate.pick(_MISCHIEF)(world)


async def _kill(world: World) -> None:
    name = world.fate.pick(sorted(world.processes))
    await world.kill(name)
    await world.clock.sleep(world.fate.between(0.0, 3.0))
    world.start(name)


async def _stop(world: World) -> None:
    """Stop a process, often for longer than a lease."""
    process = world.processes[world.fate.pick(sorted(world.processes))]
    process.stop(world.fate.between(0.5, 15.0))


async def _power(world: World) -> None:
    names = sorted(world.processes)
    await world.lose_power()
    for name in names:
        world.start(name)


async def _store_away(world: World) -> None:
    away = timedelta(seconds=world.fate.between(0.1, 4.0))
    world.fate.store_away_until = world.clock.steady + away


async def _host_down(world: World) -> None:
    world.upstream.down_until[world.fate.pick(FEEDS).host] = world.clock.steady + timedelta(
        seconds=world.fate.between(5.0, 25.0)
    )


async def _broker_away(world: World) -> None:
    world.broker.is_away = not world.broker.is_away


async def _clock_set(world: World) -> None:
    """Set the clock back, by a second or by hours; or two days ahead, and some time later back."""
    if world.fate.toss():
        world.set_clock(-timedelta(seconds=10 ** world.fate.between(0.0, 4.0)))
        return
    world.set_clock(_DAYS)
    await world.clock.sleep(world.fate.between(0.0, 20.0))
    world.set_clock(-_DAYS)


_MISCHIEF = (
    *(_kill, _kill, _stop, _power, _store_away),
    *(_broker_away, _host_down, _host_down, _clock_set),
)


# ---------------------------------------------------------------- good times


async def _calm(world: World, clients: Clients) -> None:
    world.fate.storming = world.broker.storming = world.upstream.storming = False
    world.broker.is_away = False
    for kind in ("api", "worker", "scheduler"):
        if f"{kind}0" not in world.processes:
            world.start(f"{kind}0")
    for process in world.processes.values():
        process.stopped_until = None
    await clients.leave()
    until = world.clock.steady + timedelta(seconds=CALM_S)
    while world.clock.steady < until and not await _all_is_well(world, clients):
        await world.clock.sleep(1.0)


async def _all_is_well(world: World, clients: Clients) -> bool:
    for job_id in clients.accepted:
        job = await world.backend.history.get(job_id)
        if job is None or not job.status.is_final:
            return False
    return all([await _is_current(world, feed.name) for feed in FEEDS])


async def _is_current(world: World, source: str) -> bool:
    """Whether what is stored is what the upstream has now."""
    fed = next(feed for feed in FEEDS if feed.name == source)
    checkpoint = (await world.backend.store.freshness(fed.dataset)).of(source)
    generation = world.upstream.feeds[fed.url].now
    held = generation.received and not generation.good
    return held or (checkpoint is not None and checkpoint.digest == generation.digest)


async def _judge(world: World, clients: Clients) -> None:
    """What can be told only in the end."""
    witness = world.witness
    await world.lookout.look(world.backend)
    for job_id in dict.fromkeys(clients.accepted):
        job = await world.backend.history.get(job_id)
        if job is None or not job.status.is_final:
            witness.breaks("P1", f"{job_id} was accepted and is {job and job.status}")
    for feed in FEEDS:
        if not await _is_current(world, feed.name):
            witness.breaks("P1", f"{feed.name} is still not what the upstream has")
    for host in sorted({feed.host for feed in FEEDS}):
        window = timedelta(seconds=RATE.window_s)
        spans = [[a.at for a in span if a.host == host] for span in world.upstream.spans]
        most = max(most_in_a_window(times, window) for times in spans)
        if most > RATE.count:
            witness.breaks("P7", f"{host} was asked {most} times in one window")
    for key, jobs in witness.keys.items():
        made = [job for job in sorted(jobs) if await world.backend.history.get(job)]
        if len(made) > 1:
            witness.breaks("P12", f"{key} has made {made}")
    await _judge_totals(world)


async def _listen(world: World) -> None:
    """Hear of every failure that nobody has heard of, and nobody ever will."""
    silent = [task for process in world.processes.values() for task in process.unheard]
    if silent:
        # Of two sources the one that fails is heard of when the other one has ended, too.
        await world.clock.sleep(3 * DEADLINE.total_seconds())
    for process in world.processes.values():
        for task in process.unheard:
            if task in silent:
                world.witness.breaks("P0", f"{process.name}: nobody heard {task.exception()!r}")


async def _judge_totals(world: World) -> None:
    expected: dict[tuple[str, str], Counts] = {}
    for job in world.witness.reports.values():
        assert job.report is not None
        for report in job.report.sources:
            key = job.dataset, report.source
            expected[key] = expected.get(key, Counts()) + report.counts
    names = sorted({feed.dataset.name for feed in FEEDS})
    for totals in await world.backend.sources.totals(names):
        if totals.counts != expected.get((totals.dataset, totals.source)):
            world.witness.breaks("P13", f"the totals of {totals.source} are not its reports' sum")
