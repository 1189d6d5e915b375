"""Populating: one fetch on the spot, for a client that wants to see the record it brought."""

from typing import Any

import msgspec

from application.datasets.catalogue import Catalogue
from application.ingest.fetch import Fetched
from application.ports.ingest import Receipts
from domain.dataset import Role
from domain.errors import SourceError, UnknownRecord


class FetchedOne(msgspec.Struct, frozen=True):
    """A fetch, and the record it touched; None when it brought none that can be read."""

    fetched: Fetched
    record: Any | None


class FetchOne:
    """Fetches a dataset now, whatever its interval, and finds the record the fetch touched."""

    def __init__(self, catalogue: Catalogue, receipts: Receipts) -> None:
        self._catalogue = catalogue
        self._receipts = receipts

    async def __call__(self, dataset: str, viewer: Role) -> FetchedOne:
        """What came of it; errors as for any forced fetch."""
        fetch, query = self._catalogue.fetch(dataset), self._catalogue.query(dataset)
        fetched = await fetch(viewer, force=True)
        last = await self._receipts.last(fetched.job.id)
        if last is None:
            return FetchedOne(fetched, None)
        try:
            batch = fetch.normalise(last.source, last.payload)
            key = query.dataset.key_of(batch.records[-1])
            return FetchedOne(fetched, await query.get(key, viewer))
        except (IndexError, SourceError, UnknownRecord):
            # It was rejected, or held, and the report says so.
            return FetchedOne(fetched, None)
