"""The world of a simulation: one machine with a store, and the processes that work on it."""

from datetime import timedelta
from typing import Any

from adapters.http.ingest.idempotency import OnceOnly
from adapters.memory.system import SeededRandom, SteerableClock
from adapters.outbound.sources import HttpSource
from adapters.system.traces import NoTracer
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.jobs.list_jobs import CancelJob
from application.jobs.scheduler import Scheduler
from application.jobs.worker import RunJob, Worker
from application.ports.operations import Events
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.errors import CatchmentError, QueueUnavailable
from domain.events import Event
from domain.politeness import Cadence
from tests.application.rig import registry_of
from tests.contract.backends import Backend
from tests.simulation.broker import Broker
from tests.simulation.datasets import FEEDS, JOINT
from tests.simulation.fate import Fate
from tests.simulation.processes import Line, Process, Wire, WiredIntakes
from tests.simulation.stores import STORAGES
from tests.simulation.upstream import SimulatedClient, Upstream
from tests.simulation.watching import Lookout
from tests.simulation.witness import Witness

CADENCE = Cadence(interval=timedelta(seconds=2), every=timedelta(seconds=7))
DEADLINE = timedelta(seconds=12)


class World:
    """Everything there is; `kind` is where it is kept."""

    machine: Process
    backend: Backend

    def __init__(self, seed: int, kind: str, clock: SteerableClock, keep: bool = False) -> None:
        self.clock = clock
        self.random = SeededRandom(seed)
        self.fate = Fate(clock, SeededRandom(seed + 1_000_000), keep)
        self.witness = Witness(clock)
        self.upstream = Upstream(clock, self.fate.random, [feed.url for feed in FEEDS])
        self.broker = Broker(clock, self.fate.random)
        self.lookout = Lookout(self.witness, self.upstream.feeds, clock)
        self.processes: dict[str, Node] = {}
        self._storage = STORAGES[kind]()
        self._started = 0

    async def begin(self, **processes: int) -> None:
        """Switch the machine on, and start so many processes of each kind."""
        await self._switch_on()
        for kind, count in processes.items():
            for number in range(count):
                self.start(f"{kind}{number}")

    async def lose_power(self) -> None:
        """All processes end at once, whatever they do; the machine starts again, without them."""
        names = list(self.processes)
        for name in names:
            self.processes[name].is_alive = False
        self.machine.is_alive = False
        lost = [self.machine, *(self.processes.pop(name) for name in names)]
        await self._switch_on()
        for process in lost:
            await process.kill()

    def set_clock(self, by: timedelta) -> None:
        """Set the machine's clock ahead, or back."""
        self.clock.set(by)
        self.witness.saw_clock_set(by)
        if by > timedelta(0):
            # To whoever goes by this clock all that time has passed.
            self.upstream.spans.append([])

    async def _switch_on(self) -> None:
        self.machine = Process(self.fate, "machine")
        self.backend = await self._storage.open(self.clock)

    def start(self, name: str) -> "Node":
        """Start a process: an api, a worker or a scheduler, as its name says."""
        self._started += 1
        kind = name.rstrip("0123456789")
        node = self.processes[name] = NODES[kind](self, f"{name}.{self._started}")
        return node

    async def kill(self, name: str) -> None:
        """Kill a process, with all that it was doing."""
        process = self.processes.pop(name, None)
        if process is not None:
            await process.kill()

    async def end(self) -> None:
        """Switch everything off."""
        for name in list(self.processes):
            await self.kill(name)
        await self.machine.kill()
        await self._storage.close()


class Suspicious(Events):
    """The events of a process, where an error that is none of ours is a bug."""

    def __init__(self, process: Process, witness: Witness) -> None:
        self._process = process
        self._witness = witness

    def publish(self, event: Event) -> None:
        """Note the event, and accuse the process of its bug."""
        error = getattr(event, "error", None)
        self._process.fate.note(self._process.name, type(event).__name__, type(error).__name__)
        if error is not None and not isinstance(error, CatchmentError):
            self._witness.breaks("P0", f"{self._process.name}: {error!r}")

    def wants(self, kind: type[Event]) -> bool:
        """Return True: bugs show in every kind."""
        return True


class Node(Process):
    """A process of the product, with use cases of its own on the ports that all share."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world.fate, name)
        self.world = world
        line = Line(self, world.machine, world.witness)
        backend, clock = world.backend, world.clock
        self.job_backend = JobBackend(
            jobs=Wire(backend.jobs, "jobs", line),
            history=Wire(backend.history, "history", line),
            queue=Wire(world.broker, "queue", line, QueueUnavailable),
            schedules=Wire(backend.schedules, "schedules", line),
            events=Suspicious(self, world.witness),
            tracer=NoTracer(),
        )
        self.idempotency: Any = Wire(backend.idempotency, "idempotency", line)
        self.budget: Any = Wire(backend.budget, "budget", line)
        self.store: Any = Wire(backend.store, "store", line)
        self.intakes: Any = WiredIntakes(backend.intakes, "intakes", line)
        client = SimulatedClient(self.budget, clock, world.random, world.upstream, name)
        self.fetches = {dataset.name: self._fetch(dataset, client) for dataset in (POSTS, JOINT)}
        self.registry = registry_of(backend.tables, self.store, *self.fetches.values())
        self.run()

    def _fetch(self, dataset: Dataset[Any], client: SimulatedClient) -> Fetch[Any]:
        sources = [HttpSource(fed.source, client) for fed in FEEDS if fed.dataset is dataset]
        return Fetch(
            dataset,
            sources,
            self.store,
            self.intakes,
            self.world.clock,
            self.job_backend,
            self.world.random,
            CADENCE,
            DEADLINE,
        )

    def run(self) -> None:
        """Begin to do what this kind of process does."""


class Api(Node):
    """A process that answers clients."""

    def run(self) -> None:
        """Wait for them."""
        self.once_only = OnceOnly(self.idempotency, self.world.random)
        self.cancel_job = CancelJob(self.job_backend)


class WorkerNode(Node):
    """A process that runs jobs."""

    def run(self) -> None:
        """Work until killed."""
        run_job = RunJob(self.registry, self.job_backend)
        self.start(Worker(run_job, self.job_backend, self.world.clock)())


class SchedulerNode(Node):
    """A process that asks for jobs when they are due."""

    def run(self) -> None:
        """Keep the schedules until killed."""
        keep = Scheduler(self.registry, self.job_backend, self.world.clock, self.world.random)
        self.start(keep())


NODES: dict[str, type[Node]] = {"api": Api, "worker": WorkerNode, "scheduler": SchedulerNode}
