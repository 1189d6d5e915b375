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
from adapters.sql.schedules import SqlSchedules
from adapters.sql.sqlite import SqliteDatabase
from adapters.sql.store import SqlStore
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
from application.quarantine import ListQuarantine, RebuildDataset, ReplayQuarantine
from application.query import Query
from application.schedules import KeepSchedules
from application.work import AT_ONCE, RunJob, Work
from domain.dataset import Dataset
from domain.politeness import Cadence, Rate
from domain.posts import POSTS
from entrypoints.logs import tell_of_error, tell_of_fetch
from entrypoints.settings import Settings, host_of, secret_of
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


def _cadence(settings: Settings, dataset: str) -> Cadence:
    return Cadence(
        interval=settings.min_fetch_interval.of(dataset),
        every=settings.fetch_every.of(dataset),
        stale_after=settings.stale_after.of(dataset),
    )


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
        limits = _cadence(settings, dataset.name), settings.fetch_deadline
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
        SqlBudget, database, clock, settings.provided.rate_limits, DEFAULT_RATE
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

    # ------------------------------------------------------------ use cases

    sources = providers.Singleton(_sources, settings, client)
    fetches = providers.Singleton(_fetches, settings, sources, store, clock, desk, random)
    queries = providers.Singleton(_queries, store)
    fetch_posts = fetches.provided[POSTS.name]
    query_posts = queries.provided[POSTS.name]
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
    list_quarantine = providers.Singleton(ListQuarantine, quarantine, catalogue.provided.datasets)
    replay_quarantine = providers.Singleton(ReplayQuarantine, quarantine, fetches)
    rebuild_dataset = providers.Singleton(RebuildDataset, fetches)
    check_health = providers.Singleton(CheckHealth, catalogue, database, queue, budget, clock)
    run_job = providers.Singleton(RunJob, fetches, desk, providers.Object(tell_of_fetch))
    work = providers.Singleton(Work, run_job, desk, clock)
    keep_schedules = providers.Singleton(
        KeepSchedules,
        fetches.provided.values.call(),
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
        list_quarantine,
        replay_quarantine,
        idempotency,
        check_health,
        database,
        clock,
        random,
        providers.Callable(_http_settings, settings, epoch),
    )
