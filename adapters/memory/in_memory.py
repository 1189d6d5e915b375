"""InMemory: every driven port over one memory database, for tests and for trying things out."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.memory.accounts import (
    MemoryAccounts,
    MemoryApiTokens,
    MemoryClientLimits,
    MemoryLoginAttempts,
    MemoryPasswordHasher,
    MemoryRestoration,
    MemorySessions,
    MemoryTokens,
)
from adapters.memory.database import MemoryDatabase
from adapters.memory.datasets import MemoryChanges, MemoryStore, MemoryTables, MemoryUpstream
from adapters.memory.ingest import (
    MemoryIntakes,
    MemoryQuarantine,
    MemoryReceipts,
    MemorySource,
)
from adapters.memory.jobs import (
    MemoryIdempotency,
    MemoryJobHistory,
    MemoryJobs,
    MemoryQueue,
    MemorySchedules,
    MemorySourceHistory,
)
from adapters.memory.operations import (
    MemoryAlerts,
    MemoryConnections,
    MemoryEvents,
    MemoryNotifier,
    MemoryProbe,
    MemoryRetention,
    MemoryTracer,
)
from adapters.memory.politeness import MemoryBudget
from adapters.memory.system import MemorySecrets, SeededRandom, SteerableClock
from adapters.memory.tasks import MemoryKnownRepositories, MemoryRepositories, MemoryTasks
from application.datasets.query import Query
from application.datasets.registry import Generation, RegisteredDataset, Registry
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.ports.accounts import UserSessions
from application.ports.ingest import Source
from application.ports.jobs import JobHistory, Queue
from application.posts import FetchPosts, QueryPosts
from domain.builtin.posts import Post
from domain.dataset import Dataset, R
from domain.politeness import Rate

GENEROUS = Rate(1000, 1.0)


class InMemory:
    """All driven ports, one attribute each, with one `database`, one `clock` and one `random`.

    `database` and `clock` may be shared with other instances. `rates` are the rates by host,
    `default_rate` is that of all other hosts.
    """

    def __init__(
        self,
        database: MemoryDatabase | None = None,
        clock: SteerableClock | None = None,
        rates: Mapping[str, Rate] | None = None,
        default_rate: Rate = GENEROUS,
    ) -> None:
        self.clock = clock or SteerableClock()
        self.random = SeededRandom()
        self.secrets = MemorySecrets()
        self.database = database or MemoryDatabase()
        ports = self.database, self.clock
        self.events = MemoryEvents()
        self.tracer = MemoryTracer()
        self.alerts = MemoryAlerts(*ports)
        self.notifier = MemoryNotifier(self.clock)
        self.retention = MemoryRetention(self.database)
        self.probe = MemoryProbe()
        self.connections = MemoryConnections()
        self.store = MemoryStore(self.database)
        self.upstream = MemoryUpstream()
        self.intakes = MemoryIntakes(*ports)
        self.tables = MemoryTables(self.database)
        self.changes = MemoryChanges(self.database)
        self.quarantine = MemoryQuarantine(self.database)
        self.receipts = MemoryReceipts(self.database)
        self.jobs = MemoryJobs(*ports)
        self.history: JobHistory = MemoryJobHistory(*ports)
        self.queue: Queue = MemoryQueue(self.events)
        self.schedules = MemorySchedules(*ports)
        self.source_history = MemorySourceHistory(self.database)
        self.idempotency = MemoryIdempotency(self.database, self.clock)
        self.budget = MemoryBudget(*ports, rates or {}, default_rate)
        self.accounts = MemoryAccounts(self.database)
        self.sessions = MemorySessions(*ports)
        self.user_sessions: UserSessions = self.sessions
        self.restoration = MemoryRestoration(*ports)
        self.api_tokens = MemoryApiTokens(self.database)
        self.client_limits = MemoryClientLimits(*ports)
        self.login_attempts = MemoryLoginAttempts(*ports)
        self.hasher = MemoryPasswordHasher()
        self.tokens = MemoryTokens(self.clock)
        self.tasks = MemoryTasks(*ports)
        self.repositories = MemoryRepositories(self.clock)
        self.known_repositories = MemoryKnownRepositories(self.database)

    @property
    def job_backend(self) -> JobBackend:
        """Return the ports that every job needs."""
        ports = self.jobs, self.history, self.queue, self.schedules, self.events, self.tracer
        return JobBackend(*ports)

    def source(
        self, record: type[R], *pages: Sequence[R] | bytes, name: str = "memory"
    ) -> MemorySource[R]:
        """Return a source with these pages."""
        return MemorySource(name, record, self.clock, *pages)

    def fetch(self, dataset: Dataset[R], *sources: Source[R], **options: Any) -> Fetch[R]:
        """Return the use case that fetches a dataset; `options` are those of `Fetch`."""
        ports = self.store, self.intakes, self.clock, self.job_backend, self.random
        return Fetch(dataset, sources, *ports, **options)

    def query(self, dataset: Dataset[R]) -> Query[R]:
        """Return the use case that reads a dataset."""
        return Query(dataset, self.store)

    def registry(self, *fetches: Fetch[Any]) -> Registry:
        """Return a registry of the datasets of these use cases."""
        registered = [RegisteredDataset(each, Query(each.dataset, self.store)) for each in fetches]
        return Registry(self.tables, lambda: Generation(registered))

    def fetch_posts(self, *sources: MemorySource[Post]) -> FetchPosts:
        """Return the use case that fetches the posts from these sources."""
        return FetchPosts(
            sources, self.store, self.intakes, self.clock, self.job_backend, self.random
        )

    def query_posts(self) -> QueryPosts:
        """Return the use case that reads the posts."""
        return QueryPosts(self.store)
