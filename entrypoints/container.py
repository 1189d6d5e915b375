"""The container: settings to adapters to use cases, the only place that joins them.

Every provider can be overridden in a test: `container.clock.override(SteerableClock())`.
"""

from dependency_injector import containers, providers

from adapters.http.app import HttpSettings, create_app
from adapters.sources.jsonplaceholder import JsonPlaceholderSource
from adapters.sources.polite.client import PoliteClient
from adapters.sql.budget import SqlBudget
from adapters.sql.jobs import SqlJobs
from adapters.sql.migrate import epoch_of
from adapters.sql.quarantine import SqlQuarantine
from adapters.sql.sqlite import SqliteDatabase
from adapters.sql.store import SqlStore
from adapters.system.clock import SystemClock
from adapters.system.random import SystemRandom
from application.catalogue import Catalogue
from application.health import CheckHealth
from application.posts import FetchPosts, QueryPosts
from application.schedules import KeepCurrent
from domain.politeness import Cadence, Rate
from domain.posts import POSTS
from entrypoints.logs import tell_of_fetch
from entrypoints.settings import Settings, host_of, secret_of
from entrypoints.version import VERSION

#: What a host gets that no setting speaks of.
DEFAULT_RATE = Rate(10, 1.0)

#: Every dataset there is: its table is made from this.
DATASETS = (POSTS,)


def _cadence(settings: Settings, dataset: str) -> Cadence:
    return Cadence(
        interval=settings.min_fetch_interval.of(dataset),
        every=settings.fetch_every.of(dataset),
        stale_after=settings.stale_after.of(dataset),
    )


def _private_hosts(settings: Settings) -> frozenset[str]:
    """The hosts an operator has named, in a source's URL or outright."""
    return settings.allowed_private_hosts | {
        place for url in (settings.posts_url,) if (place := host_of(url))
    }


def _http_settings(settings: Settings) -> HttpSettings:
    return HttpSettings(
        secret=secret_of(settings),
        epoch=epoch_of(settings.database_path),
        version=VERSION,
        default_dataset=settings.default_dataset,
        max_body_bytes=settings.max_body[0],
        cache_max_age_s=int(settings.cache_max_age.total_seconds()),
    )


class Container(containers.DeclarativeContainer):
    """Everything the program is made of; give it `settings` and ask it for what you need."""

    settings = providers.Dependency(instance_of=Settings)

    # ------------------------------------------------------------ driven adapters

    clock = providers.Singleton(SystemClock)
    random = providers.Singleton(SystemRandom)
    database = providers.Singleton(SqliteDatabase, settings.provided.database_path)
    store = providers.Singleton(SqlStore, database, clock)
    jobs = providers.Singleton(SqlJobs, database, clock)
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

    # ------------------------------------------------------------ posts

    posts_sources = providers.Singleton(
        lambda url, client: [JsonPlaceholderSource(client, url)] if url else [],
        settings.provided.posts_url,
        client,
    )
    fetch_posts = providers.Singleton(
        FetchPosts,
        posts_sources,
        store,
        clock,
        jobs,
        random,
        providers.Callable(_cadence, settings, POSTS.name),
        settings.provided.fetch_deadline,
    )
    query_posts = providers.Singleton(QueryPosts, store)

    # ------------------------------------------------------------ all datasets

    fetches = providers.List(fetch_posts)
    catalogue = providers.Singleton(
        Catalogue, fetches, providers.List(query_posts), quarantine, clock
    )
    check_health = providers.Singleton(CheckHealth, catalogue, database, clock)
    keep_current = providers.Singleton(
        KeepCurrent,
        fetches,
        store,
        clock,
        providers.Object(tell_of_fetch),
        settings.provided.fetch_on_start,
    )

    # ------------------------------------------------------------ driving adapters

    app = providers.Singleton(
        create_app,
        catalogue,
        check_health,
        clock,
        random,
        providers.Callable(_http_settings, settings),
    )
