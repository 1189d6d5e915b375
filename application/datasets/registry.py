"""The registry: every dataset with its sources, schedule and limits, replaced as a whole."""

import asyncio
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

from application.datasets.query import Query, Reader
from application.ingest.fetch import Fetch
from application.ports.datasets import Tables
from domain.dataset import Dataset, R
from domain.errors import InvalidDataset
from domain.layouts import Layout
from domain.politeness import Rate

V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class RegisteredDataset(Generic[R]):
    """One dataset with the use cases that fetch and read it, and the limits of its sources.

    A dataset that is not `listed` has a table, a schedule and jobs, and is not in the catalogue.
    `urls` say where its sources are, `private_hosts` which hosts, as "host:port", may have a
    private address, and `rates` how often a host may be asked.
    """

    fetch: Fetch[R]
    query: Query[R]
    listed: bool = True
    urls: tuple[str, ...] = ()
    private_hosts: frozenset[str] = frozenset()
    rates: Mapping[str, Rate] = field(default_factory=dict)

    @property
    def dataset(self) -> Dataset[R]:
        """The dataset itself."""
        return self.query.dataset

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self.query.dataset.name


class Generation(Mapping[str, RegisteredDataset[Any]]):
    """All datasets that hold at one time, by name; it never changes.

    Of two rates for one host the lower holds. `rates` and `private_hosts` are the operator's own;
    such a rate holds in place of all others.
    """

    def __init__(
        self,
        registered: Iterable[RegisteredDataset[Any]],
        rates: Mapping[str, Rate] | None = None,
        private_hosts: Iterable[str] = (),
    ) -> None:
        self._registered: dict[str, RegisteredDataset[Any]] = {}
        for each in registered:
            if each.name in self._registered:
                raise InvalidDataset(f"two datasets are named {each.name}")
            self._registered[each.name] = each
        every = self._registered.values()
        self.datasets = tuple(each.dataset for each in every)
        self.catalogue = {each.name: each for each in every if each.listed}
        self.fetches = {name: each.fetch for name, each in self.catalogue.items()}
        self.rates = {**_lowest(each.rates for each in every), **(rates or {})}
        self.private_hosts = frozenset(private_hosts).union(*(each.private_hosts for each in every))

    def __getitem__(self, name: str) -> RegisteredDataset[Any]:
        return self._registered[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._registered)

    def __len__(self) -> int:
        return len(self._registered)


class Registry:
    """Holds the current generation, which can be replaced while everything runs.

    Use cases ask it each time. `first` makes the first generation when it is asked for, because
    the sources in it need a client that goes by the limits of the registry.
    """

    def __init__(self, tables: Tables, first: Callable[[], Generation]) -> None:
        self._tables = tables
        self._first = first
        #: The datasets that were removed, whose waiting jobs have to end.
        self._removed: dict[str, RegisteredDataset[Any]] = {}
        #: What was replaced and may still run.
        self._retired: set[Fetch[Any]] = set()
        self._replacing = asyncio.Lock()
        self._swapping = asyncio.Lock()
        #: The use cases that fetch the datasets of the catalogue, by name.
        self.fetches: Mapping[str, Fetch[Any]] = _View(lambda: self.current.fetches)
        #: How often hosts may be asked.
        self.rates: Mapping[str, Rate] = _View(lambda: self.current.rates)
        #: The hosts that may have a private address, as "host:port".
        self.private_hosts: Container[str] = _PrivateHosts(self)

    @cached_property
    def current(self) -> Generation:
        """The generation that holds now; keep it for as long as several looks must agree."""
        return self._first()

    def fetch_of(self, name: str) -> Fetch[Any] | None:
        """Return what runs the jobs of a dataset, removed or not; None for an unknown one."""
        registered = self.current.get(name) or self._removed.get(name)
        return None if registered is None else registered.fetch

    async def replace(self, new: Generation) -> None:
        """Replace the current generation.

        The tables are prepared first; when that fails, the old generation goes on. Then one
        reference is swapped. A running job ends as it began; a waiting one is run by the new
        definition, or fails where there is none any more. A dataset whose table must be built anew
        is replaced once its running job has ended.
        """
        async with self._replacing:
            old = self.current
            with ExitStack() as held:
                # What still runs could not merge its records into the new table.
                for fetch in _rebuilt(self._running(), new):
                    held.enter_context(fetch.held())
                    await fetch.idle()
                async with self._swapping:
                    await self._tables.prepare(new.datasets)
                    self._swap(old, new)

    async def is_replaced(self, reader: Reader[Any]) -> bool:
        """Return whether the reader is out of use, once a swap that is under way is done."""
        async with self._swapping:
            return reader.is_retired

    async def drain(self) -> None:
        """Return when no fetch is running here any more."""
        for fetch in self._running():
            await fetch.drain()

    async def close(self) -> None:
        """Stop what is running here; its jobs are taken over when their leases run out."""
        for fetch in self._running():
            await fetch.close()

    def _swap(self, old: Generation, new: Generation) -> None:
        self.current = new
        for name, each in {**self._removed, **old}.items():
            following = new.get(name)
            if following is each:
                continue
            each.query.retire()
            self._retired.add(each.fetch)
            if following is None:
                self._removed[name] = each
                each.fetch.dismiss()
            else:
                self._removed.pop(name, None)
                each.fetch.hand_over(following.fetch)
        # Last, because what was replaced may share its use cases with what replaces it.
        for name, each in new.items():
            if old.get(name) is not each:
                each.query.retire(False)
                each.fetch.reinstate()
        self._retired = {fetch for fetch in self._retired if fetch.is_running}

    def _running(self) -> list[Fetch[Any]]:
        # Not `current`, which would make the first generation.
        known: Generation | None = vars(self).get("current")
        return [*self._retired, *(each.fetch for each in (known or {}).values())]


def _rebuilt(fetches: Iterable[Fetch[Any]], new: Generation) -> list[Fetch[Any]]:
    """Return what fetches the datasets whose tables must be built anew."""
    following = {dataset.name: Layout.of(dataset) for dataset in new.datasets}
    return [
        fetch
        for fetch in fetches
        if (layout := following.get(fetch.dataset.name)) is not None
        and not Layout.of(fetch.dataset).grows_into(layout)
    ]


def _lowest(rates: Iterable[Mapping[str, Rate]]) -> dict[str, Rate]:
    lowest: dict[str, Rate] = {}
    for host, rate in (item for each in rates for item in each.items()):
        known = lowest.get(host, rate)
        lowest[host] = max(known, rate, key=lambda each: each.spacing_s)
    return lowest


class _View(Mapping[str, V]):
    """A mapping of the current generation: it follows when that is replaced."""

    def __init__(self, read: Callable[[], Mapping[str, V]]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> V:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


class _PrivateHosts(Container[str]):
    """The private hosts of the current generation."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __contains__(self, host: object) -> bool:
        return host in self._registry.current.private_hosts
