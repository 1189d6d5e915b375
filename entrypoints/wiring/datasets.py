"""The shipped datasets with their sources, one line each; and the operator's declared ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from adapters.outbound.builtin.crypto_assets import assets_csv, coinpaprika
from adapters.outbound.builtin.data_points import telemetry
from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.declared.sources import definition_of
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.sources import source_of
from application.datasets.query import Query
from application.datasets.registry import Generation, RegisteredDataset
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.ports.datasets import Store
from application.ports.ingest import Intakes, Source
from application.ports.system import Clock, Random, Secrets
from application.posts import FetchPosts, QueryPosts
from domain.builtin.crypto_assets import CRYPTO_ASSETS
from domain.builtin.data_points import DATA_POINTS
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.declarations import Declaration, Declarations
from domain.politeness import Cadence
from domain.sources import SourceDefinition
from entrypoints.config.declarations import declared_private_hosts, read_declarations
from entrypoints.config.settings import Settings, host_of
from entrypoints.config.units import PerDataset

#: A function that defines the source at a URL.
Define = Callable[[str], SourceDefinition[Any]]
#: The URL of a source, or a function that reads it from the settings; "" switches it off.
Address = str | Callable[[Settings], str]


@dataclass(frozen=True)
class Shipped:
    """A dataset, its sources with their URLs, and its own use cases if it has any."""

    dataset: Dataset[Any]
    sources: Sequence[tuple[Define, Address]]
    fetch: Callable[..., Fetch[Any]] | None = None
    query: Callable[[Store], Query[Any]] | None = None

    def definitions(self, settings: Settings) -> Iterator[SourceDefinition[Any]]:
        """Yield the sources that are switched on."""
        for define, address in self.sources:
            if url := address if isinstance(address, str) else address(settings):
                yield define(url)


SHIPPED: tuple[Shipped, ...] = (
    Shipped(POSTS, [(jsonplaceholder, lambda s: s.posts_url)], FetchPosts, QueryPosts),
    Shipped(
        CRYPTO_ASSETS,
        [(coinpaprika, lambda s: s.coinpaprika_url), (assets_csv, lambda s: s.assets_csv)],
    ),
    Shipped(DATA_POINTS, [(telemetry, lambda s: s.telemetry_url)]),
)


def declarations_of(settings: Settings) -> Declarations:
    """Return the datasets that the operator has declared."""
    return read_declarations(settings.datasets, [line.dataset.name for line in SHIPPED])


def sources_of(
    settings: Settings, declared: Declarations, client: PoliteClient, secrets: Secrets
) -> dict[str, list[Source[Any]]]:
    """Return the sources of each dataset that are switched on."""
    shipped = {line.dataset.name: [*line.definitions(settings)] for line in SHIPPED}
    own = {
        name: [definition_of(source, each.dataset) for source in each.sources]
        for name, each in declared.datasets.items()
    }
    return {
        name: [source_of(definition, client, secrets) for definition in definitions]
        for name, definitions in {**shipped, **own}.items()
    }


def generation_of(
    settings: Settings,
    declared: Declarations,
    sources: Mapping[str, Sequence[Source[Any]]],
    tasks: RegisteredDataset[Any],
    store: Store,
    intakes: Intakes,
    clock: Clock,
    job_backend: JobBackend,
    random: Random,
) -> Generation:
    """Return all datasets by the settings, with the operator's own limits."""

    def registered(line: Shipped) -> RegisteredDataset[Any]:
        dataset = line.dataset
        urls = tuple(each.request.url for each in line.definitions(settings))
        ports = sources.get(dataset.name, ()), store, intakes, clock, job_backend, random
        limits = settings.cadence(dataset.name), settings.fetch_deadline
        return RegisteredDataset(
            fetch=line.fetch(*ports, *limits) if line.fetch else Fetch(dataset, *ports, *limits),
            query=line.query(store) if line.query else Query(dataset, store),
            urls=urls,
            private_hosts=private_hosts_of(*urls),
        )

    def registered_own(each: Declaration) -> RegisteredDataset[Any]:
        dataset = each.dataset
        ports = sources.get(dataset.name, ()), store, intakes, clock, job_backend, random
        limits = _cadence(settings, each), each.deadline or settings.fetch_deadline
        urls = tuple(source.request.url for source in each.sources)
        return RegisteredDataset(
            fetch=Fetch(dataset, *ports, *limits),
            query=Query(dataset, store),
            urls=urls,
            private_hosts=private_hosts_of(*urls),
            rates={n: host.rate for n, host in declared.hosts.items() if host.rate is not None},
        )

    return Generation(
        [*map(registered, SHIPPED), *map(registered_own, declared.datasets.values()), tasks],
        settings.rate_limits,
        settings.allowed_private_hosts
        | private_hosts_of(settings.alert_url)
        | declared_private_hosts(declared),
    )


def _cadence(settings: Settings, declared: Declaration) -> Cadence:
    """Return the cadence of a declared dataset; a setting with its name takes precedence."""
    name = declared.dataset.name
    own: dict[str, tuple[timedelta | None, PerDataset[Any]]] = {
        "interval": (declared.at_most_every, settings.min_fetch_interval),
        "every": (declared.every, settings.fetch_every),
        "stale_after": (declared.stale_after, settings.stale_after),
    }
    cadence = {
        field: setting.of(name) if value is None or name in setting.special else value
        for field, (value, setting) in own.items()
    }
    if not declared.is_scheduled and name not in settings.fetch_every.special:
        cadence["every"] = None
    return Cadence(**cadence)


def private_hosts_of(*urls: str) -> frozenset[str]:
    """Return the hosts of an operator's URLs that may be private: addresses, and `localhost`.

    A name may not, because its owner decides where it leads; a file has no host.
    """
    return frozenset(host for host in map(host_of, urls) if host and is_address(host))


def is_address(host: str) -> bool:
    """Return whether a "host:port" is an address as it stands, or `localhost`."""
    name = host.rpartition(":")[0].strip("[]")
    try:
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False
