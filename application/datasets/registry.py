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

    A dataset that is not `listed` has a table, a schedule and jobs, but is not in the catalogue.
    `urls` are those of its sources, `private_hosts` the hosts, as "host:port", that may have a
    private address, and `rates` the rate limits by host.
    """

    fetch: Fetch[R]
    query: Query[R]
    listed: bool = True
    urls: tuple[str, ...] = ()
    private_hosts: frozenset[str] = frozenset()
    rates: Mapping[str, Rate] = field(default_factory=dict)

    @property
    def dataset(self) -> Dataset[R]:
        """Return the dataset itself."""
        return self.query.dataset

    @property
    def name(self) -> str:
        """Return the name of the dataset."""
        return self.query.dataset.name


class Generation(Mapping[str, RegisteredDataset[Any]]):
    """All datasets at one time, by name; immutable.

    Of two rates for one host the lower applies. `rates` and `private_hosts` are the operator's own;
    such a rate overrides all others.
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
    """The holder of the current generation, which can be replaced at run time.

    Use cases read it at every call. `first` builds the first generation lazily, because its
    sources need a client that reads the limits from the registry.
    """

    def __init__(self, tables: Tables, first: Callable[[], Generation]) -> None:
        self._tables = tables
        self._first = first
        #: Removed datasets, whose queued jobs must still be ended.
        self._removed: dict[str, RegisteredDataset[Any]] = {}
        #: Replaced use cases that may still run.
        self._retired: set[Fetch[Any]] = set()
        self._replacing = asyncio.Lock()
        self._swapping = asyncio.Lock()
        #: The use cases that fetch the datasets of the catalogue, by name.
        self.fetches: Mapping[str, Fetch[Any]] = _View(lambda: self.current.fetches)
        #: The rate limits by host.
        self.rates: Mapping[str, Rate] = _View(lambda: self.current.rates)
        #: The hosts that may have a private address, as "host:port".
        self.private_hosts: Container[str] = _PrivateHosts(self)

    @cached_property
    def current(self) -> Generation:
        """Return the current generation; keep the value where several reads must agree."""
        return self._first()

    def fetch_of(self, name: str) -> Fetch[Any] | None:
        """Return the use case that runs a dataset's jobs, even a removed one's; None if unknown."""
        registered = self.current.get(name) or self._removed.get(name)
        return None if registered is None else registered.fetch

    async def replace(self, new: Generation) -> None:
        """Replace the current generation.

        The tables are prepared first; if that fails, the old generation stays. Then one reference
        is swapped. A running job ends with the old definition; a queued one is run with the new
        definition, or fails if the dataset was removed. A dataset whose table must be rebuilt is
        replaced once its running job has ended.
        """
        async with self._replacing:
            old = self.current
            with ExitStack() as held:
                # A running job could not merge its records into the new table.
                for fetch in _rebuilt(self._running(), new):
                    held.enter_context(fetch.held())
                    await fetch.idle()
                async with self._swapping:
                    await self._tables.prepare(new.datasets)
                    self._swap(old, new)

    async def is_replaced(self, reader: Reader[Any]) -> bool:
        """Return whether the reader was replaced, after any swap in progress."""
        async with self._swapping:
            return reader.is_retired

    async def drain(self) -> None:
        """Wait until no fetch runs in this process."""
        for fetch in self._running():
            await fetch.drain()

    async def close(self) -> None:
        """Cancel the fetches of this process; others claim their jobs when the leases expire."""
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
        # Last, because old and new entries may share their use cases.
        for name, each in new.items():
            if old.get(name) is not each:
                each.query.retire(False)
                each.fetch.reinstate()
        self._retired = {fetch for fetch in self._retired if fetch.is_running}

    def _running(self) -> list[Fetch[Any]]:
        # Not `current`, which would build the first generation.
        known: Generation | None = vars(self).get("current")
        return [*self._retired, *(each.fetch for each in (known or {}).values())]


def _rebuilt(fetches: Iterable[Fetch[Any]], new: Generation) -> list[Fetch[Any]]:
    """Return the use cases of the datasets whose tables must be rebuilt."""
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
    """A view of a mapping in the current generation."""

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
