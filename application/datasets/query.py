"""Query: the one way anything is ever read."""

from collections.abc import AsyncGenerator
from typing import Any, Generic

import msgspec

from application.ports.datasets import Store
from domain.checkpoints import Freshness
from domain.dataset import Dataset, Key, R, Role
from domain.errors import UnknownRecord
from domain.paging import Page, PageRequest

#: How many records an export reads at a time.
CHUNK = 1000
#: And where each time means to look at every record, because no index is in that order.
SCANNED_CHUNK = 5 * CHUNK


class Query(Generic[R]):
    """Reads one dataset, as far as the viewer may see it.

    Every method raises LoginRequired or Forbidden when the viewer may not read the dataset.
    """

    def __init__(self, dataset: Dataset[R], store: Store) -> None:
        self.dataset = dataset
        self._store = store

    async def __call__(self, request: PageRequest, viewer: Role = Role.ANYONE) -> Page[Any]:
        """One page of records; InvalidCursor for a cursor of another question."""
        self.admit(viewer)
        narrowed = self._narrowed(request, viewer)
        narrowed.check()
        return await self._store.find(self.dataset, narrowed)

    async def get(self, key: Key, viewer: Role = Role.ANYONE) -> Any:
        """The record with that key; UnknownRecord when there is none the viewer may see."""
        self.admit(viewer)
        row = await self._store.get(self.dataset, key, self.dataset.seen_by(viewer))
        if row is None:
            raise no_record(self.dataset)
        return row

    async def walk(
        self, request: PageRequest, viewer: Role = Role.ANYONE
    ) -> AsyncGenerator[list[Any], None]:
        """Every record of the answer from the request's page on, in chunks of at most CHUNK.

        Each is of one snapshot. An answer without records is one empty chunk.
        """
        is_fast = self.dataset.answers_fast(request.filter, request.sort.names)
        request = msgspec.structs.replace(request, limit=CHUNK if is_fast else SCANNED_CHUNK)
        while True:
            page = await self(request, viewer)
            for start in range(0, len(page.rows) or 1, CHUNK):
                yield page.rows[start : start + CHUNK]
            if page.next_cursor is None:
                return
            request = msgspec.structs.replace(request, cursor=page.next_cursor, offset=0)

    async def count(self, viewer: Role = Role.ANYONE) -> int:
        """How many records the viewer may see."""
        self.admit(viewer)
        return await self._store.count(self.dataset, self.dataset.seen_by(viewer))

    async def freshness(self, viewer: Role = Role.ANYONE) -> Freshness:
        """The dataset's sequence number and checkpoints."""
        self.admit(viewer)
        return await self._store.freshness(self.dataset)

    def admit(self, viewer: Role) -> None:
        """Let the viewer pass when they may read the dataset."""
        viewer.require(self.dataset.read_by)

    def _narrowed(self, request: PageRequest, viewer: Role) -> PageRequest:
        seen = self.dataset.seen_by(viewer)
        if not seen.conditions:
            return request
        return msgspec.structs.replace(request, filter=request.filter & seen)


def no_record(dataset: Dataset[Any]) -> UnknownRecord:
    """What is said when nothing that may be seen has a key."""
    return UnknownRecord(f"no record of {dataset.name} has that key")
