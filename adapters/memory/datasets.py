"""Datasets in memory: records, tables, and the version that changes with every commit."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any

import msgspec

from adapters.memory.database import MemoryDatabase, StoredRow
from application.ports.datasets import Changes, Store, Tables, Upstream
from domain.checkpoints import Freshness
from domain.dataset import Dataset, Key, R
from domain.filters import Filter
from domain.guessed_pages import FirstAnswer
from domain.layouts import Layout
from domain.looks import Look
from domain.paging import Counting, Page, PageRequest, PageSize, require_whole


class MemoryStore(Store):
    """Records in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def find(self, dataset: Dataset[R], request: PageRequest) -> Page[Any]:
        """Return one page of `sorted(filter(matches, records))`."""
        matching = self._matching(dataset, request.filter)
        following = request.sort.sorted(matching)
        if request.cursor is not None:
            position = request.cursor.position
            following = [row for row in following if request.sort.is_after(row, position)]
        following = following[request.offset :]
        size = PageSize()
        has_room = (size.has_room(msgspec.structs.astuple(row)) for row in following)
        wanted = sum(takewhile(bool, islice(has_room, request.limit)))
        rows = following[:wanted]
        is_cut = bool(rows) and len(following) > wanted
        if is_cut:
            require_whole(wanted, request)
        counted = None if request.counting is Counting.NONE else len(matching)
        total, relation = request.counting.total(counted)
        return Page(
            rows=rows,
            next_cursor=request.cursor_after(rows[-1]) if is_cut else None,
            freshness=self._database.freshness(dataset.name),
            total=total,
            total_relation=relation,
            size=size.bytes,
        )

    async def get(self, dataset: Dataset[R], key: Key, seen: Filter) -> Any | None:
        """Return the record with that key, if there is one and `seen` matches it."""
        row = self._database.table_of(dataset).rows.get(key)
        return row.record if row is not None and seen.matches(row.record) else None

    async def count(self, dataset: Dataset[R], seen: Filter) -> int:
        """Return the number of records that match."""
        return len(self._matching(dataset, seen))

    async def freshness(self, dataset: Dataset[R]) -> Freshness:
        """Return the dataset's sequence number and checkpoints."""
        return self._database.freshness(dataset.name)

    def _matching(self, dataset: Dataset[R], filter: Filter) -> list[Any]:
        rows = self._database.table_of(dataset).rows.values()
        return [row.record for row in rows if filter.matches(row.record)]


class MemoryTables(Tables):
    """The migration of a memory database's tables to the current layouts."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def prepare(self, datasets: Sequence[Dataset[Any]]) -> None:
        """Migrate each dataset's table to its layout; rows keep the values that still fit."""
        for dataset in datasets:
            table, layout = self._database.tables[dataset.name], Layout.of(dataset)
            if table.layout not in (None, layout):
                kept = table.layout.kept_by(layout)
                table.rows = {
                    key: StoredRow(_refitted(dataset, kept, row.record), row.receipt)
                    for key, row in (table.rows.items() if kept else ())
                }
                table.seq += 1
                self._database.writes += 1
            table.layout = layout


def _refitted(dataset: Dataset[Any], kept: Sequence[str], record: Any) -> Any:
    return dataset.row(*(getattr(record, n) if n in kept else None for n in dataset.fields))


class MemoryChanges(Changes):
    """The version of a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def version(self) -> int:
        """Return the number of commits."""
        return self._database.writes


class MemoryUpstream(Upstream):
    """Answers by URL and parameters; `asked` holds what was asked."""

    def __init__(self, answer: Callable[[str, Mapping[str, str]], Any] = lambda *_: []) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def look(self, url: str, params: Mapping[str, str]) -> Look:
        """Return the answer at a URL with these parameters."""
        self.asked.append((url, params))
        answer = self.answer(url, params)
        if isinstance(answer, Look):
            return answer
        return Look(answer=FirstAnswer(url=url, body=answer), format="json")
