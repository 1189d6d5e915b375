"""Query: the use case that reads a dataset. All reads go through it."""

from collections.abc import AsyncGenerator
from math import inf
from typing import Any, Generic

import msgspec

from application.ports.datasets import Store
from domain.checkpoints import Freshness
from domain.dataset import Dataset, Key, R, Role
from domain.errors import UnknownRecord
from domain.filters import Filter
from domain.paging import Page, PageRequest

#: How many records an export reads at a time.
CHUNK = 1000
#: The same for an export without a matching index, which scans all records for each page.
SCANNED_CHUNK = 5 * CHUNK


class Reader(Generic[R]):
    """The reader of one dataset for one role, which sees the records that match `seen`."""

    def __init__(self, dataset: Dataset[R], store: Store, seen: Filter) -> None:
        self.dataset = dataset
        #: Whether the dataset has been replaced or removed.
        self.is_retired = False
        self._store = store
        self._seen = seen

    async def page(self, request: PageRequest) -> Page[Any]:
        """Return one page of records; raise InvalidCursor for a cursor of another query."""
        if self._seen.conditions:
            request = msgspec.structs.replace(request, filter=request.filter & self._seen)
        request.check()
        return await self._store.find(self.dataset, request)

    async def get(self, key: Key) -> Any:
        """Return the record with that key; raise UnknownRecord if the role sees none."""
        row = await self._store.get(self.dataset, key, self._seen)
        if row is None:
            raise no_record(self.dataset)
        return row

    async def walk(
        self, request: PageRequest, most: int | None = None
    ) -> AsyncGenerator[list[Any], None]:
        """Yield every record from the request's page on, at most `most`, in chunks up to CHUNK.

        Each chunk is of one snapshot. A result without records is one empty chunk.
        """
        is_fast = self.dataset.answers_fast(request.filter, request.sort.names)
        size = CHUNK if is_fast else SCANNED_CHUNK
        left = inf if most is None else most
        while True:
            request = msgspec.structs.replace(request, limit=int(min(size, left)))
            page = await self.page(request)
            for start in range(0, len(page.rows) or 1, CHUNK):
                yield page.rows[start : start + CHUNK]
            left -= len(page.rows)
            if page.next_cursor is None or not left:
                return
            request = msgspec.structs.replace(request, cursor=page.next_cursor, offset=0)

    async def count(self) -> int:
        """Return the number of records that the role sees."""
        return await self._store.count(self.dataset, self._seen)

    async def freshness(self) -> Freshness:
        """Return the dataset's sequence number and checkpoints."""
        return await self._store.freshness(self.dataset)


class Query(Generic[R]):
    """The use case that reads one dataset, restricted to what the viewer may see.

    Its methods raise LoginRequired or Forbidden if the viewer may not read the dataset.
    """

    def __init__(self, dataset: Dataset[R], store: Store) -> None:
        self.dataset = dataset
        self._readers = {role: Reader(dataset, store, dataset.seen_by(role)) for role in Role}

    def for_role(self, viewer: Role) -> Reader[R]:
        """Return the reader for this viewer, whose role it does not check again."""
        viewer.require(self.dataset.read_by)
        return self._readers[viewer]

    def retire(self, retired: bool = True) -> None:
        """Mark the readers as retired, or as in use again."""
        for reader in self._readers.values():
            reader.is_retired = retired

    async def __call__(self, request: PageRequest, viewer: Role = Role.ANYONE) -> Page[Any]:
        """Return one page of records; raise InvalidCursor for a cursor of another query."""
        return await self.for_role(viewer).page(request)

    async def get(self, key: Key, viewer: Role = Role.ANYONE) -> Any:
        """Return the record with that key; raise UnknownRecord if the viewer sees none."""
        return await self.for_role(viewer).get(key)


def no_record(dataset: Dataset[Any]) -> UnknownRecord:
    """Return the error for a key without a visible record."""
    return UnknownRecord(f"no record of {dataset.name} has that key")
