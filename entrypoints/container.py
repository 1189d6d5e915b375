"""The container: settings to adapters to use cases, the only place that joins them.

Every provider can be overridden in a test: `container.clock.override(SteerableClock())`.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dependency_injector import containers, providers

from adapters.http.app import HttpSettings, create_app
from adapters.queue.embedded import EmbeddedQueue
from adapters.sources.jsonplaceholder import JsonPlaceholderSource
from adapters.sources.polite.client import PoliteClient
from adapters.sql.budget import SqlBudget
from adapters.sql.idempotency import SqlIdempotency
from adapters.sql.job_history import SqlJobHistory
from adapters.sql.jobs import SqlJobs
from adapters.sql.quarantine import SqlQuarantine
from adapters.sql.repositories import SqlKnownRepositories
from adapters.sql.schedules import SqlSchedules
from adapters.sql.sqlite import SqliteDatabase
from adapters.sql.store import SqlStore
from adapters.sql.tasks import SqlTasks
from adapters.system.clock import SystemClock
from adapters.system.random import SystemRandom
from application.catalogue import Catalogue
from application.desk import JobDesk
from application.fetch import Fetch
from application.health import CheckHealth
from application.jobs import CancelJob, FindJob, ListJobs
from application.ports.clock import Clock, Random
from application.ports.source import Source
from application.ports.store import Store
from application.posts import FetchPosts, QueryPosts
from application.query import Query
from application.schedules import KeepSchedules
from application.work import AT_ONCE, RunJob, Work
from domain.dataset import Dataset
from domain.politeness import Rate
from domain.posts import POSTS
from domain.tasks import TASKS, Task
from entrypoints.logs import tell_of_error, tell_of_fetch
from entrypoints.settings import Settings, host_of, secret_of
from entrypoints.task_parts import fetch_of_tasks, looking_at, rates_of, tasks_of
from entrypoints.version import VERSION

if TYPE_CHECKING:
    # At run time these are imported only by those who have a server and a broker.
    from adapters.queue.rabbitmq import RabbitQueue
    from adapters.sql.postgres import PostgresDatabase

#: What a host gets that no setting speaks of.
DEFAULT_RATE = Rate(10, 1.0)

#: Which source gives which dataset, and the setting that says where it is: a new source, or a new
#: dataset with its first one, adds its line here.
FEEDS: tuple[tuple[Dataset[Any], Callable[[PoliteClient, str], Source[Any]], str], ...] = (
    (POSTS, JsonPlaceholderSource, "posts_url"),
)

#: Every dataset there is: its table is made from this.
DATASETS = tuple(dict.fromkeys(dataset for dataset, _, _ in FEEDS))
#: What has a table and a schedule; tasks are no part of the catalogue, for they come from users.
TABLES = (*DATASETS, TASKS)


def feed_urls(settings: Settings) -> dict[str, list[str]]:
    """Where each dataset's sources are; a source that is switched off is left out."""
    urls: dict[str, list[str]] = {dataset.name: [] for dataset in DATASETS}
    for dataset, _, setting in FEEDS:
        if url := getattr(settings, setting):
            urls[dataset.name].append(url)
    return urls


def _private_hosts(settings: Settings) -> frozenset[str]:
    """The hosts an operator has named, in a source's URL or outright."""
    urls = [url for urls in feed_urls(settings).values() for url in urls]
    urls += filter(None, [settings.github_url])
    return settings.allowed_private_hosts | {host_of(url) for url in urls}


def _sources(settings: Settings, client: PoliteClient) -> dict[str, list[Source[Any]]]:
    """The sources of each dataset that are switched on."""
    sources: dict[str, list[Source[Any]]] = {dataset.name: [] for dataset in DATASETS}
    for dataset, make, setting in FEEDS:
        if url := getattr(settings, setting):
            sources[dataset.name].append(make(client, url))
    return sources


def _fetches(
    settings: Settings,
    sources: Mapping[str, list[Source[Any]]],
    store: Store,
    clock: Clock,
    desk: JobDesk,
    random: Random,
) -> dict[str, Fetch[Any]]:
    """What fetches each dataset; the posts have a class of their own."""

    def fetch(dataset: Dataset[Any]) -> Fetch[Any]:
        given = sources[dataset.name], store, clock, desk, random
        limits = settings.cadence(dataset.name), settings.fetch_deadline
        if dataset is POSTS:
            return FetchPosts(*given, *limits)
        return Fetch(dataset, *given, *limits)

    return {dataset.name: fetch(dataset) for dataset in DATASETS}


def _queries(store: Store) -> dict[str, Query[Any]]:
    """What reads each dataset."""
    return {
        dataset.name: QueryPosts(store) if dataset is POSTS else Query(dataset, store)
        for dataset in DATASETS
    }


def _runnable(fetches: Mapping[str, Fetch[Any]], fetch_tasks: Fetch[Task]) -> dict[str, Fetch[Any]]:
    """What jobs and schedules there are, by the name of the dataset."""
    return {**fetches, TASKS.name: fetch_tasks}


def _database(settings: Settings) -> "SqliteDatabase | PostgresDatabase":
    if settings.database_file is not None:
        return SqliteDatabase(settings.database_file)
    from adapters.sql.postgres import PostgresDatabase

    return PostgresDatabase(settings.database_url)


def _queue(settings: Settings) -> "EmbeddedQueue | RabbitQueue":
    if not settings.broker_url:
        return EmbeddedQueue(at_once=AT_ONCE)
    from adapters.queue.rabbitmq import RabbitQueue

    return RabbitQueue(settings.broker_url, at_once=AT_ONCE)


def _http_settings(settings: Settings, epoch: str) -> HttpSettings:
    return HttpSettings(
        secret=secret_of(settings),
        epoch=epoch,
        version=VERSION,
        default_dataset=settings.default_dataset,
        max_body_bytes=settings.max_body[0],
        cache_max_age_s=int(settings.cache_max_age.total_seconds()),
    )


class Container(containers.DeclarativeContainer):
    """Everything the program is made of; give it `settings` and ask it for what you need."""

    settings = providers.Dependency(instance_of=Settings)
    #: The database's random name, known once it is migrated.
    epoch = providers.Dependency(instance_of=str)

    # ------------------------------------------------------------ driven adapters

    clock = providers.Singleton(SystemClock)
    random = providers.Singleton(SystemRandom)
    database = providers.Singleton(_database, settings)
    queue = providers.Singleton(_queue, settings)
    store = providers.Singleton(SqlStore, database, clock)
    desk = providers.Singleton(
        JobDesk,
        jobs=providers.Singleton(SqlJobs, database, clock),
        history=providers.Singleton(SqlJobHistory, database, clock),
        queue=queue,
        schedules=providers.Singleton(SqlSchedules, database, clock),
    )
    idempotency = providers.Singleton(SqlIdempotency, database, clock)
    quarantine = providers.Singleton(SqlQuarantine, database)
    budget = providers.Singleton(
        SqlBudget, database, clock, providers.Callable(rates_of, settings), DEFAULT_RATE
    )
    private_hosts = providers.Callable(_private_hosts, settings)
    client = providers.Singleton(
        PoliteClient,
        budget,
        clock,
        random,
        allowed_private=private_hosts,
        user_agent=f"catchment/{VERSION}",
        max_wire=settings.provided.max_body[1],
    )

    written_tasks = providers.Singleton(SqlTasks, database, clock)
    known_repositories = providers.Singleton(SqlKnownRepositories, database)

    # ------------------------------------------------------------ use cases

    sources = providers.Singleton(_sources, settings, client)
    fetches = providers.Singleton(_fetches, settings, sources, store, clock, desk, random)
    queries = providers.Singleton(_queries, store)
    fetch_posts = fetches.provided[POSTS.name]
    query_posts = queries.provided[POSTS.name]
    look_at = providers.Singleton(looking_at, settings, client, known_repositories, clock)
    fetch_tasks = providers.Singleton(
        fetch_of_tasks, settings, look_at, written_tasks, store, clock, desk, random
    )
    tasks = providers.Singleton(tasks_of, written_tasks, look_at, fetch_tasks, store, clock, random)
    runnable = providers.Singleton(_runnable, fetches, fetch_tasks)
    catalogue = providers.Singleton(
        Catalogue,
        fetches.provided.values.call(),
        queries.provided.values.call(),
        quarantine,
        clock,
    )
    find_job = providers.Singleton(FindJob, desk)
    list_jobs = providers.Singleton(ListJobs, desk, catalogue.provided.datasets)
    cancel_job = providers.Singleton(CancelJob, desk)
    check_health = providers.Singleton(CheckHealth, catalogue, database, queue, budget, clock)
    run_job = providers.Singleton(RunJob, runnable, desk, providers.Object(tell_of_fetch))
    work = providers.Singleton(Work, run_job, desk, clock)
    keep_schedules = providers.Singleton(
        KeepSchedules,
        runnable.provided.values.call(),
        desk,
        clock,
        random,
        providers.Object(tell_of_error),
        settings.provided.fetch_on_start,
    )

    # ------------------------------------------------------------ driving adapters

    app = providers.Singleton(
        create_app,
        catalogue,
        find_job,
        list_jobs,
        cancel_job,
        tasks,
        idempotency,
        check_health,
        database,
        clock,
        random,
        providers.Callable(_http_settings, settings, epoch),
    )
