"""FetchOne: an immediate fetch whose caller wants to see a record of it."""

from typing import Any

import msgspec

from application.datasets.catalogue import Catalogue
from application.ingest.fetch import Fetched
from application.ports.ingest import Receipts
from domain.dataset import Role
from domain.errors import SourceError, UnknownRecord


class FetchedOne(msgspec.Struct, frozen=True):
    """A fetch, and a record of it; None if it has none that the viewer may read."""

    fetched: Fetched
    record: Any | None


class FetchOne:
    """The use case that fetches a dataset now, and returns a record of that fetch."""

    def __init__(self, catalogue: Catalogue, receipts: Receipts) -> None:
        self._catalogue = catalogue
        self._receipts = receipts

    async def __call__(self, dataset: str, viewer: Role) -> FetchedOne:
        """Fetch with `force`, and return the last record of the fetch; raises as `Fetch` does."""
        fetch, query = self._catalogue.fetch(dataset), self._catalogue.query(dataset)
        fetched = await fetch(viewer, force=True)
        last = await self._receipts.last(fetched.job.id)
        if last is None:
            return FetchedOne(fetched, None)
        try:
            batch = await fetch.normalise(last.source, last.payload)
            key = query.dataset.key_of(batch.records[-1])
            return FetchedOne(fetched, await query.get(key, viewer))
        except (IndexError, SourceError, UnknownRecord):
            # The record was rejected or quarantined, as the report says.
            return FetchedOne(fetched, None)
