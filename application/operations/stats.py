"""Stats: how much was received, how much is stored and waits, and how each source has done."""

from collections.abc import Iterator, Sequence

import msgspec

from application.datasets.catalogue import Catalogue, Entry
from application.ports.jobs import SourceHistory
from domain.dataset import Role
from domain.totals import SourceTotals


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """All numbers at one moment; `received` counts every record of every run there ever was."""

    received: int
    stored: int
    quarantined: int
    sources: tuple[SourceTotals, ...]


class ShowStats:
    """Counts what the viewer may read, and nothing else."""

    def __init__(self, catalogue: Catalogue, history: SourceHistory) -> None:
        self._catalogue = catalogue
        self._history = history

    async def __call__(self, viewer: Role = Role.ANYONE) -> Stats:
        """The numbers of the datasets the viewer may read; a source that has not run is in them."""
        entries = await self._catalogue.entries(viewer)
        known = await self._history.totals([entry.dataset.name for entry in entries])
        sources = tuple(total for entry in entries for total in _totals(entry, known))
        return Stats(
            received=sum(total.counts.received for total in sources),
            stored=sum(entry.records for entry in entries),
            quarantined=sum(entry.quarantined for entry in entries),
            sources=sources,
        )


def _totals(entry: Entry, known: Sequence[SourceTotals]) -> Iterator[SourceTotals]:
    """The sources of one dataset by name: those that are switched on, and those that ever ran."""
    name = entry.dataset.name
    ran = {total.source: total for total in known if total.dataset == name}
    for source in sorted({*ran, *entry.sources}):
        yield ran.get(source, SourceTotals(dataset=name, source=source))
