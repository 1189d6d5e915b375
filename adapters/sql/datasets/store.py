"""The store over SQL, the same for every dataset and engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import attrgetter, itemgetter
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import bindparam, func, select

from adapters.sql.datasets.queries import (
    Shape,
    clauses,
    encoded,
    page_values,
    shape_of,
    statements_of,
    values_of,
)
from adapters.sql.engine.database import Database, Row, SqlQuery, named_row
from adapters.sql.schema.sql_dataset import SqlDataset
from adapters.sql.schema.tables import checkpoints, datasets, jobs, schedules
from application.ports.datasets import Store
from domain.checkpoints import Checkpoint, Freshness
from domain.dataset import Dataset, Key, R
from domain.errors import StoreError
from domain.filters import Filter
from domain.jobs import JobStatus, Mode
from domain.paging import (
    MAX_LIMIT,
    MAX_PAGE_BYTES,
    Counting,
    Page,
    PageRequest,
    PageSize,
    require_whole,
)
from domain.reports import Counts
from domain.times import from_micros

_MOST_BYTES_OF_A_CHARACTER = 4
_STATE = select(datasets.c.seq, datasets.c.layout).where(datasets.c.name == bindparam("dataset"))
_CHECKPOINTS = select(*(checkpoints.c[name] for name in Checkpoint.__struct_fields__)).where(
    checkpoints.c.dataset == bindparam("dataset")
)
_LAST_STATUS = (
    select(jobs.c.status)
    .where(
        jobs.c.dataset == bindparam("dataset"),
        jobs.c.finished_at.is_not(None),
        *(jobs.c.mode != mode.value for mode in Mode if not mode.asks),
    )
    .order_by(jobs.c.finished_at.desc())
    .limit(1)
)
_NEXT_FETCH_AT = select(schedules.c.next_run_at).where(schedules.c.dataset == bindparam("dataset"))
_FRESHNESS = (_STATE, _CHECKPOINTS, _LAST_STATUS, _NEXT_FETCH_AT)


@dataclass
class _Known:
    """The state of one dataset when it was read last."""

    freshness: Freshness = Freshness()  # noqa: RUF009 - a frozen value
    #: The version of the database at or before the read.
    version: int | None = None
    #: The number of records of each filter, with the sequence number when they were counted.
    counts: dict[Filter, tuple[int, int]] = field(default_factory=dict)


class SqlStore(Store):
    """The records of any dataset in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: WeakKeyDictionary[SqlDataset, _Known] = WeakKeyDictionary()

    async def find(self, dataset: Dataset[R], request: PageRequest) -> Page[Any]:
        """Return a page, its count and the dataset's freshness from one snapshot."""
        sql = SqlDataset.of(dataset)
        statements = statements_of(self._database.engine, dataset, Shape.of(request))
        values = page_values(request)
        enough = request.limit + 1
        # A page of no records is read for its count.
        segments = statements.segments if request.limit else ()
        queries: list[SqlQuery] = [(s, values, enough) for s in segments]
        if statements.counting is not None:
            queries.append((statements.counting, values))
        scan = not statements.fast or request.offset > 0 or request.counting is Counting.EXACT
        short = not scan and request.limit <= MAX_LIMIT and request.counting is Counting.NONE
        freshness, answers = await self._read(sql, queries, scan, short)
        counted: int | None = None if statements.counting is None else answers.pop()[0][0]
        found = [row for segment in answers for row in segment][:enough]
        wanted, size = _fitting(sql, found[: request.limit])
        rows = sql.decoded(found[:wanted])
        more = len(found) > wanted
        if more:
            require_whole(wanted, request)
        return Page(
            rows,
            request.cursor_after(rows[-1]) if more else None,
            freshness,
            *((None, None) if counted is None else request.counting.total(counted)),
            size,
        )

    async def get(self, dataset: Dataset[R], key: Key, seen: Filter) -> Any | None:
        """Return the record with that key, if `seen` matches it."""
        sql = SqlDataset.of(dataset)
        names = zip(dataset.key, key, strict=True)
        values = {f"key_{name}": encoded(dataset.fields[name], value) for name, value in names}
        _, [found] = await self._read(sql, [(sql.by_key, values)], short=True)
        rows = sql.decoded(found)
        return rows[0] if rows and seen.matches(rows[0]) else None

    async def count(self, dataset: Dataset[R], seen: Filter) -> int:
        """Return how many records match; each state of the dataset is counted once."""
        sql = SqlDataset.of(dataset)
        freshness, _ = await self._read(sql, [], short=True)
        counts = self._known[sql].counts
        if seen in counts and counts[seen][0] == freshness.seq:
            return counts[seen][1]
        count = select(func.count()).select_from(sql.table)
        queries = [(count.where(*clauses(sql.table, shape_of(seen))), values_of(seen))]
        freshness, [[[counted]]] = await self._read(sql, queries, scan=True)
        counts[seen] = freshness.seq, int(counted)
        return int(counted)

    async def freshness(self, dataset: Dataset[R]) -> Freshness:
        """Return the dataset's sequence number, checkpoints and last status, with any layout."""
        freshness, _ = await self._read(SqlDataset.of(dataset), [], short=True)
        return freshness

    async def _read(
        self,
        sql: SqlDataset,
        queries: Sequence[SqlQuery],
        scan: bool = False,
        short: bool = False,
    ) -> tuple[Freshness, list[list[Row]]]:
        """Return the dataset's freshness and the rows of the queries from one snapshot."""
        version = self._database.version()
        known = self._known.get(sql)
        if known is None:
            known = self._known[sql] = _Known()
        try:
            if known.version == version:
                answers: list[list[Row]] = []
                if queries:
                    answers = await self._database.snapshot(queries, scan=scan, short=short)
                # If nothing was written in between, both are of one state.
                if self._database.version() == version:
                    return known.freshness, answers
            return await self._read_anew(sql, known, version, queries, scan, short)
        except StoreError:
            raise
        except Exception:
            # A statement fails over columns that are gone or have another type by now.
            [states] = await self._database.snapshot([(_STATE, {"dataset": sql.name})])
            for _, layout in states:
                sql.require_layout(layout)
            raise

    async def _read_anew(
        self,
        sql: SqlDataset,
        known: _Known,
        version: int,
        queries: Sequence[SqlQuery],
        scan: bool,
        short: bool,
    ) -> tuple[Freshness, list[list[Row]]]:
        named = {"dataset": sql.name}
        state: list[SqlQuery] = [(statement, named) for statement in _FRESHNESS]
        [states, checkpoints, statuses, scheduled, *answers] = await self._database.snapshot(
            [*state, *queries], scan=scan, short=short, table=sql.table if queries else None
        )
        freshness = Freshness(
            states[0][0] if states else 0,
            # The order of names depends on the database.
            tuple(sorted(filter(None, map(_checkpoint, checkpoints)), key=attrgetter("source"))),
            JobStatus(statuses[0][0]) if statuses else None,
            from_micros(scheduled[0][0]) if scheduled else None,
        )
        if not states or sql.fits(states[0][1]):
            known.freshness, known.version = freshness, version
        elif queries:
            sql.require_layout(states[0][1])
        return freshness, answers


def _fitting(sql: SqlDataset, rows: Sequence[Row]) -> tuple[int, int]:
    """Return how many of these rows fit on a page, and about how many bytes they have."""
    texts = sql.text_positions
    chars = sum(sum(map(len, filter(None, map(itemgetter(at), rows)))) for at in texts)
    if chars * _MOST_BYTES_OF_A_CHARACTER <= MAX_PAGE_BYTES:
        return len(rows), chars
    size = PageSize()
    return sum(takewhile(bool, map(size.has_room, rows))), size.bytes


def _checkpoint(row: Row) -> Checkpoint | None:
    """Return the checkpoint of a row, or None if it is damaged: then all is fetched once more."""
    try:
        named = named_row(Checkpoint.__struct_fields__, row, ("fetched_at",))
        named["counts"] = msgspec.json.decode(named["counts"], type=Counts)
    except (msgspec.MsgspecError, ValueError, OverflowError, TypeError):
        return None
    return Checkpoint(**named)
