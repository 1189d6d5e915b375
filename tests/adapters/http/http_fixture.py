"""The base of the HTTP tests: the real application over memory adapters, and sample records."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
import msgspec

from adapters.http.app import AccountUseCases, HttpSettings, UseCases, create_app
from adapters.http.operations.prometheus import Metrics
from adapters.memory.database import MemoryDatabase
from adapters.memory.datasets import MemoryStore
from adapters.memory.in_memory import InMemory
from adapters.memory.ingest import MemoryIntakes
from adapters.memory.jobs import MemoryJobHistory
from adapters.memory.operations import MemoryProbe
from adapters.memory.system import SteerableClock
from adapters.system.events import EventDispatcher
from adapters.system.logs import Logs
from adapters.system.security_log import SecurityLog
from adapters.system.tokens import JwtTokens
from application.accounts.api_tokens import ApiTokenService, RevokeTokens
from application.accounts.authentication import Authenticate, TokenUse
from application.accounts.passwords import ChangePassword, ConfirmPassword
from application.accounts.sessions import (
    EndSessions,
    Grant,
    Lifetimes,
    LogIn,
    LogOut,
    OwnSessions,
    Refresh,
    SessionUseCases,
)
from application.accounts.sign_up import AddUser, SignUp
from application.accounts.users import ManageUsers
from application.datasets.catalogue import Catalogue
from application.datasets.fetch_one import FetchOne
from application.datasets.query import Query
from application.datasets.registry import Generation, RegisteredDataset, Registry
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.ingest.quarantine import ListQuarantine, ReplayQuarantine
from application.jobs.list_jobs import CancelJob, FindJob, ListJobs
from application.jobs.worker import RunJob
from application.operations.gauges import ReadGauges
from application.operations.health import CheckHealth
from application.operations.stats import ShowStats
from application.ports.datasets import Changes, Store
from application.ports.ingest import Intake, Intakes
from application.ports.jobs import Handle, Idempotency, JobFilter, Queue
from application.ports.operations import Events
from application.tasks.enrich import EnrichTasks
from application.tasks.repository_lookup import RepositoryLookup
from application.tasks.tasks import (
    ChangeTask,
    CreateTask,
    DeleteTask,
    QueryTasks,
    TaskEnricher,
    TaskUseCases,
)
from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset, Key, Role
from domain.filters import Condition, Filter, Operator
from domain.jobs import FetchJob
from domain.paging import PageRequest
from domain.politeness import Cadence
from domain.schedules import Schedule
from domain.tasks import MAX_TASKS, TASKS
from domain.users import OPERATOR, SignupRules
from entrypoints.config.setting_readers import client_limits

SECRET = b"a secret of the tests, 32 bytes long"
PASSWORD = "correct horse battery"
#: The URL of the application in memory; nothing listens on this port.
BASE = "http://catchment.test"
#: Content types of bodies that are not JSON.
NO_JSON = (
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/msgpack",
    "application/jsonp",
    "",
    "json",
)


# ---------------------------------------------------------------- records


def posts(count: int, first: int = 1) -> list[Post]:
    """Return so many posts, ten of each user, as JSONPlaceholder has them."""
    return [
        Post(number, (number - 1) // 10 + 1, f"title {number}", f"body {number}")
        for number in range(first, first + count)
    ]


def gauges_dataset(name: str = "gauges", **changed: Any) -> Dataset[Any]:
    """Return a dataset with every type of field, and names that could collide."""
    record = msgspec.defstruct(
        "Gauge",
        [
            ("station", str),
            ("number", int),
            ("level", float | None),
            ("open", bool | None),
            ("seen_at", datetime | None),
            ("state", Literal["dry", "wet", "-frozen"] | None),
            ("notes", list[str]),
            ("body", str),
            ("request", str),
            ("limit", int),
            ("sort", str),
        ],
        frozen=True,
    )
    described = {"key": ("station", "number"), "default_sort": "station", **changed}
    return Dataset(name=name, record=record, **described)


GAUGES = gauges_dataset()


def gauge(number: int = 1, **changed: Any) -> Any:
    """Return a plain record of the sample dataset."""
    plain = {
        "station": "north",
        "number": number,
        "level": None,
        "open": None,
        "seen_at": None,
        "state": None,
        "notes": [],
        "body": "a body",
        "request": "a request",
        "limit": number,
        "sort": "a sort",
    }
    return GAUGES.record(**{**plain, **changed})


#: Records on which no two operators give the same result.
SOME_GAUGES = [
    gauge(1, level=1.5, open=True, state="dry", notes=["a", "b,c"], body="alpha"),
    gauge(2, level=2.5, open=False, state="wet", notes=["a"], body="Beta"),
    gauge(3, seen_at=datetime(2026, 1, 1, 12, tzinfo=UTC), body="gamma, delta"),
    gauge(1, station="south", level=-3.0, state="-frozen", body="100% of_it", request="=1+1"),
]


def only(*conditions: tuple[str, Operator, Any]) -> Filter:
    """Return a filter of the sample dataset."""
    return Filter(tuple(Condition(GAUGES.fields[n], o, v) for n, o, v in conditions))


# ---------------------------------------------------------------- a store that can fail


class BreakableStore(MemoryStore):
    """A memory store that fails on demand, and counts the pages read."""

    failure: Exception | None = None
    #: Pages answered before the `failure`.
    fails_after = 0
    pages = 0

    async def find(self, dataset: Dataset[Any], request: PageRequest) -> Any:
        """Return a page, unless it is time to fail."""
        self.pages += 1
        if self.pages > self.fails_after:
            self._fail()
        return await super().find(dataset, request)

    async def get(self, dataset: Dataset[Any], key: Key, seen: Filter) -> Any:
        """Return a record."""
        self._fail()
        return await super().get(dataset, key, seen)

    async def count(self, dataset: Dataset[Any], seen: Filter) -> int:
        """Return how many records match."""
        self._fail()
        return await super().count(dataset, seen)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class BreakableIntakes(MemoryIntakes):
    """Intakes that fail to open on demand."""

    failure: Exception | None = None

    @asynccontextmanager
    async def open(
        self, dataset: Dataset[Any], source: str, job: FetchJob
    ) -> AsyncIterator[Intake[Any]]:
        """Open an intake, unless it is to fail."""
        if self.failure is not None:
            raise self.failure
        async with super().open(dataset, source, job) as intake:
            yield intake


# ---------------------------------------------------------------- jobs


class RecordingQueue(Queue):
    """A queue that records announcements and delivers none."""

    def __init__(self) -> None:
        self.announced: list[str] = []

    async def announce(self, job_id: str) -> None:
        """Record the announcement."""
        self.announced.append(job_id)

    def listening(self, handle: Handle) -> AbstractAsyncContextManager[None]:
        """Deliver nothing."""
        return nullcontext()


class BreakableHistory(MemoryJobHistory):
    """A job history that fails on demand, and records which jobs were read."""

    failure: Exception | None = None

    def __init__(self, database: MemoryDatabase, clock: SteerableClock) -> None:
        super().__init__(database, clock)
        self.sought: list[str] = []

    async def get(self, job_id: str) -> FetchJob | None:
        """Return a job."""
        self.sought.append(job_id)
        self._fail()
        return await super().get(job_id)

    async def recent(
        self, wanted: JobFilter, limit: int, before: str | None = None
    ) -> list[FetchJob]:
        """Return the wanted jobs."""
        self._fail()
        return await super().recent(wanted, limit, before)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


# ---------------------------------------------------------------- the application


class HttpFixture:
    """The application over some datasets, and all that a test needs to control it.

    Each dataset has one source without records, unless `sources` names others, and a schedule that
    no scheduler runs. Jobs run when a test runs them.
    """

    def __init__(
        self,
        *datasets: Dataset[Any],
        store: Store | None = None,
        intakes: Intakes | None = None,
        job_backend: JobBackend | None = None,
        queue: Queue | None = None,
        idempotency: Idempotency | None = None,
        changes: Changes | None = None,
        replay: type[ReplayQuarantine] = ReplayQuarantine,
        clock: SteerableClock | None = None,
        events: Events | None = None,
        cadence: Cadence = Cadence(every=timedelta(minutes=15)),  # noqa: B008 - a frozen value
        deadline: timedelta = timedelta(seconds=60),
        sources: Mapping[str, Sequence[str]] | None = None,
        signup: SignupRules = SignupRules(),  # noqa: B008 - a frozen value
        most_tasks: int = MAX_TASKS,
        **settings: Any,
    ) -> None:
        self.datasets = datasets or (POSTS, GAUGES)
        self.memory = memory = InMemory(clock=clock)
        self.clock, self.random, self.database = memory.clock, memory.random, memory.database
        self.metrics = Metrics("0")
        self.events = events or EventDispatcher(Logs(), SecurityLog(), self.metrics)
        self.broken = BreakableStore(self.database)
        self.store = store or self.broken
        self.broken_intakes = BreakableIntakes(self.database, self.clock)
        self.intakes = intakes or self.broken_intakes
        self.queue = RecordingQueue()
        self.history = BreakableHistory(self.database, self.clock)
        self.job_backend = job_backend or JobBackend(
            jobs=memory.jobs,
            history=self.history,
            queue=queue or self.queue,
            schedules=memory.schedules,
            events=self.events,
            tracer=memory.tracer,
        )
        if cadence.every is not None:
            self.database.schedules = {
                dataset.name: Schedule.starting(dataset.name, cadence.every, self.clock.now())
                for dataset in self.datasets
            }
        self.idempotency = idempotency or memory.idempotency
        self.budget, self.probe = memory.budget, memory.probe
        self.queue_probe = MemoryProbe("embedded")
        self.quarantine = memory.quarantine
        named = {d.name: [f"{d.name}_source"] for d in self.datasets} | dict(sources or {})
        self.sources = {
            dataset.name: [
                memory.source(dataset.record, [], name=name) for name in named[dataset.name]
            ]
            for dataset in self.datasets
        }
        self.fetches = {
            dataset.name: self._fetch(dataset, cadence, deadline) for dataset in self.datasets
        }
        self.github = memory.repositories
        self.tasks = self._tasks(most_tasks)
        self.registry = Registry(memory.tables, self._generation)
        self.catalogue = Catalogue(self.registry, self.quarantine, self.clock)
        health = CheckHealth(self.registry, self.probe, self.queue_probe, self.budget, self.clock)
        usual = {
            "secret": SECRET,
            "database_id": "a database",
            "client_limits": client_limits(""),
        }
        self.settings = HttpSettings(**{**usual, **settings})
        self.use_cases = UseCases(
            catalogue=self.catalogue,
            fetch_one=FetchOne(self.catalogue, memory.receipts),
            find_job=FindJob(self.job_backend, self.registry),
            list_jobs=ListJobs(self.job_backend, self.registry),
            cancel_job=CancelJob(self.job_backend),
            list_quarantine=ListQuarantine(self.quarantine, self.registry.fetches),
            replay_quarantine=replay(self.quarantine, self.registry.fetches),
            tasks=self.tasks,
            accounts=self._account_use_cases(changes or memory.changes, signup),
            check_health=health,
            show_stats=ShowStats(self.catalogue, memory.source_history),
            idempotency=self.idempotency,
            client_limits=memory.client_limits,
            changes=changes or memory.changes,
            clock=self.clock,
            random=self.random,
            events=self.events,
            read_gauges=ReadGauges(
                self.registry,
                health,
                self.probe,
                self.queue_probe,
                memory.connections,
                self.history,
                self.quarantine,
                self.budget,
                self.clock,
            ),
            metrics=self.metrics,
            tracer=memory.tracer,
        )
        self.app: Any = create_app(self.use_cases, self.settings)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False), base_url=BASE
        )

    async def bring(self, records: Sequence[Any], dataset: Dataset[Any] = POSTS) -> None:
        """Fetch these records, a little later than any before."""
        self.clock.advance(61)
        self.sources[dataset.name][0].pages = [records]
        await self.fetches[dataset.name](Role.ADMIN, force=True)

    def state(self) -> str:
        """Return as text all state that a request can change, without the rates of clients."""
        asked = {name: [source.asked for source in each] for name, each in self.sources.items()}
        broken = (self.broken.failure, self.broken_intakes.failure, self.history.failure)
        probes = (self.probe.failure, self.queue_probe.failure)
        now = (self.clock.now(), self.queue.announced, self.github.asked, asked)
        kept = {name: _filled(held) for name, held in vars(self.database).items()}
        del kept["full_at_s"]
        # A read of a dataset without records creates its table, which is no change.
        kept["tables"] = {n: t for n, t in self.database.tables.items() if t.seq or t.rows}
        return repr((kept, now, broken, probes))

    def _account_use_cases(self, changes: Changes, signup: SignupRules) -> AccountUseCases:
        """Return the use cases of accounts, with real tokens and fast password hashes."""
        clock, random, memory = self.clock, self.random, self.memory
        accounts, sessions, api_tokens = memory.accounts, memory.sessions, memory.api_tokens
        tokens, attempts = JwtTokens(SECRET, clock, random), memory.login_attempts
        grant = Grant(tokens, clock, Lifetimes())
        self.hasher = memory.hasher
        self.tokens = tokens
        self.add_user = AddUser(accounts, self.hasher, clock, self.events)
        self.token_use = TokenUse(api_tokens, clock)
        confirm = ConfirmPassword(accounts, attempts, self.hasher, self.events)
        revoke = RevokeTokens(api_tokens, self.events)
        end_sessions = EndSessions(sessions, memory.user_sessions, self.events)
        self.people = AccountUseCases(
            authenticate=Authenticate(
                accounts, sessions, api_tokens, tokens, changes, clock, self.token_use
            ),
            sign_up=SignUp(self.add_user, signup),
            sessions=SessionUseCases(
                log_in=LogIn(
                    accounts, sessions, attempts, self.hasher, grant, clock, random, self.events
                ),
                refresh=Refresh(accounts, sessions, tokens, grant),
                log_out=LogOut(sessions),
                own=OwnSessions(memory.user_sessions, end_sessions),
            ),
            change_password=ChangePassword(
                accounts, memory.user_sessions, api_tokens, self.hasher, confirm, self.events
            ),
            api_tokens=ApiTokenService(
                accounts,
                memory.user_sessions,
                api_tokens,
                confirm,
                revoke,
                clock,
                random,
                self.events,
            ),
            manage_users=ManageUsers(
                accounts,
                self.add_user,
                memory.user_sessions,
                api_tokens,
                end_sessions,
                revoke,
                self.events,
            ),
        )
        return self.people

    async def disable(self, name: str) -> None:
        """Disable a user, as the operator."""
        await self.people.manage_users.change(name, OPERATOR, disabled=True)

    async def headers(self, role: Role) -> dict[str, str]:
        """Return the headers of a request in a role."""
        if role is Role.ANYONE:
            return {}
        if role.value not in self.database.users:
            await self.add_user(role.value, PASSWORD, role)
        granted = await self.people.sessions.log_in(role.value, PASSWORD, "the tests")
        return {"Authorization": f"Bearer {granted.access_token}"}

    async def work(self) -> None:
        """Run every announced job, as a worker does."""
        run_job = RunJob(self.registry, self.job_backend)
        while self.queue.announced:
            await run_job(self.queue.announced.pop(0))

    def _tasks(self, most: int) -> TaskUseCases:
        tasks, known = self.memory.tasks, self.memory.known_repositories
        repository_lookup = RepositoryLookup(self.github, known, self.clock, timedelta(minutes=10))
        enrich = EnrichTasks(repository_lookup, tasks, self.store, self.intakes, self.clock)
        self.fetch_tasks = Fetch(
            TASKS,
            (),
            self.store,
            self.intakes,
            self.clock,
            self.job_backend,
            self.random,
            steps=[enrich],
        )
        query = QueryTasks(self.store)
        enricher = TaskEnricher(repository_lookup, self.fetch_tasks, self.clock)
        return TaskUseCases(
            query=query,
            create=CreateTask(tasks, enricher, self.clock, self.random, most),
            change=ChangeTask(tasks, query, enricher, self.clock),
            delete=DeleteTask(tasks),
        )

    def _generation(self) -> Generation:
        return Generation(
            [
                *(
                    RegisteredDataset(f, Query(f.dataset, self.store))
                    for f in self.fetches.values()
                ),
                RegisteredDataset(self.fetch_tasks, QueryTasks(self.store), listed=False),
            ]
        )

    def _fetch(self, dataset: Dataset[Any], cadence: Cadence, deadline: timedelta) -> Fetch[Any]:
        return Fetch(
            dataset,
            self.sources[dataset.name],
            self.store,
            self.intakes,
            self.clock,
            self.job_backend,
            self.random,
            cadence,
            deadline,
        )


def _filled(held: Any) -> Any:
    """Return a mapping without the empty entries that reading creates."""
    if not isinstance(held, defaultdict) or held.default_factory is None:
        return held
    return {name: value for name, value in held.items() if value != held.default_factory()}


# ---------------------------------------------------------------- reading answers


def ids(answer: httpx.Response) -> list[int]:
    """Return the ids of the records in a successful answer."""
    assert answer.status_code == 200, answer.text
    return [record["id"] for record in answer.json()["data"]]


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem in an answer, and assert its status, code and form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert list(body)[:6] == ["type", "title", "status", "detail", "code", "request_id"]
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["type"] == f"/docs/problems#{code}"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["detail"]
    return body


def parameter_of(body: dict[str, Any]) -> str:
    """Return the parameter that a problem names."""
    [error] = body["errors"]
    return str(error["parameter"])


async def walk(client: httpx.AsyncClient, url: str) -> AsyncIterator[dict[str, Any]]:
    """Yield every page from this one on, by following its `Link`."""
    while url:
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        yield answer.json()
        url = next(_next_of(answer), "")


def _next_of(answer: httpx.Response) -> Iterator[str]:
    if "next" in answer.links:
        yield answer.links["next"]["url"]
