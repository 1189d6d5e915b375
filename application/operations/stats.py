"""Stats: the numbers of received, stored and quarantined records, and the totals by source."""

from collections.abc import Iterator, Sequence

import msgspec

from application.datasets.catalogue import Catalogue, Entry
from application.ports.jobs import SourceHistory
from domain.dataset import Role
from domain.totals import SourceTotals


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """All numbers at one time; `received` counts the records of all runs, also removed ones."""

    received: int
    stored: int
    quarantined: int
    sources: tuple[SourceTotals, ...]


class ShowStats:
    """The use case that counts the records of the datasets the viewer may read."""

    def __init__(self, catalogue: Catalogue, history: SourceHistory) -> None:
        self._catalogue = catalogue
        self._history = history

    async def __call__(self, viewer: Role = Role.ANYONE) -> Stats:
        """Return the numbers of the datasets the viewer may read, with sources that never ran."""
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
    """Yield the totals of a dataset's sources by name: active ones, and all that ever ran."""
    name = entry.dataset.name
    ran = {total.source: total for total in known if total.dataset == name}
    for source in sorted({*ran, *entry.sources}):
        yield ran.get(source, SourceTotals(dataset=name, source=source))
