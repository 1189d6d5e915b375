"""What the container makes datasets of: their sources, and what fetches and reads them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.sources import source_of
from application.datasets.query import Query
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.ports.datasets import Store
from application.ports.ingest import Intakes, Source
from application.ports.system import Clock, Random
from application.posts import FetchPosts, QueryPosts
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.sources import SourceDefinition
from entrypoints.config.settings import Settings

#: A dataset, one of its sources, and the setting that says where that is.
Feed = tuple[Dataset[Any], Callable[[str], SourceDefinition[Any]], str]


def sources_of(
    settings: Settings, client: PoliteClient, feeds: Iterable[Feed]
) -> dict[str, list[Source[Any]]]:
    """The sources of each dataset that are switched on."""
    sources: dict[str, list[Source[Any]]] = {}
    for dataset, make, setting in feeds:
        listed = sources.setdefault(dataset.name, [])
        if url := getattr(settings, setting):
            listed.append(source_of(make(url), client))
    return sources


def fetches_of(
    datasets: Sequence[Dataset[Any]],
    settings: Settings,
    sources: Mapping[str, list[Source[Any]]],
    store: Store,
    intakes: Intakes,
    clock: Clock,
    job_backend: JobBackend,
    random: Random,
) -> dict[str, Fetch[Any]]:
    """What fetches each dataset; the posts have a class of their own."""

    def fetch(dataset: Dataset[Any]) -> Fetch[Any]:
        given = sources.get(dataset.name, []), store, intakes, clock, job_backend, random
        limits = settings.cadence(dataset.name), settings.fetch_deadline
        if dataset is POSTS:
            return FetchPosts(*given, *limits)
        return Fetch(dataset, *given, *limits)

    return {dataset.name: fetch(dataset) for dataset in datasets}


def queries_of(datasets: Sequence[Dataset[Any]], store: Store) -> dict[str, Query[Any]]:
    """What reads each dataset."""
    return {
        dataset.name: QueryPosts(store) if dataset is POSTS else Query(dataset, store)
        for dataset in datasets
    }
