"""The store over SQL: one code for every dataset and every engine."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, func, select

from adapters.sql.datasets.conditions import clauses, encoded, shape_of, values_of
from adapters.sql.datasets.pages import Shape, page_values, statements_of
from adapters.sql.engine.database import Database, Row, SqlQuery
from adapters.sql.engine.times import from_micros
from adapters.sql.ingest.intake import SqlIntake
from adapters.sql.schema.dataset_tables import decoded, table_of
from adapters.sql.schema.tables import checkpoints, datasets, jobs, schedules
from application.ports.datasets import Intake, Store
from application.ports.system import Clock
from domain.checkpoints import Checkpoint, Freshness
from domain.dataset import Dataset, Key, R
from domain.filters import Filter
from domain.jobs import FetchJob, JobStatus, Mode
from domain.paging import MAX_LIMIT, Counting, Page, PageRequest
from domain.reports import Counts

_SEQ = select(datasets.c.seq).where(datasets.c.name == bindparam("dataset"))
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
_FRESHNESS = (_SEQ, _CHECKPOINTS, _LAST_STATUS, _NEXT_FETCH_AT)


class SqlStore(Store):
    """Keeps the records of any dataset in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        # One for every role of every dataset, with the sequence number it was counted at.
        self._counts: dict[tuple[str, Filter], tuple[int, int]] = {}
        # The freshness of each dataset, with the version of the database it was read at or after.
        self._known: dict[str, tuple[int | None, Freshness]] = {}

    async def find(self, dataset: Dataset[R], request: PageRequest) -> Page[Any]:
        """One page, its count and the dataset's freshness, all of one snapshot."""
        statements = statements_of(self._database.engine, dataset, Shape.of(request))
        values = page_values(request)
        enough = request.limit + 1
        queries: list[SqlQuery] = [(s, values, enough) for s in statements.segments]
        if statements.counting is not None:
            queries.append((statements.counting, values))
        scan = not statements.fast or request.offset > 0 or request.counting is Counting.EXACT
        short = not scan and request.limit <= MAX_LIMIT and request.counting is Counting.NONE
        freshness, answers = await self._with_freshness(dataset, queries, scan, short)
        counted: int | None = None if statements.counting is None else answers.pop()[0][0]
        found = [row for segment in answers for row in segment][:enough]
        rows = decoded(dataset, found[: request.limit])
        more = len(found) > request.limit
        return Page(
            rows,
            request.cursor_after(rows[-1]) if more else None,
            freshness,
            *request.counting.total(counted),
        )

    async def get(self, dataset: Dataset[R], key: Key, seen: Filter) -> Any | None:
        """The record with that key, if `seen` matches it."""
        names = zip(dataset.key, key, strict=True)
        values = {f"key_{name}": encoded(dataset.fields[name], value) for name, value in names}
        query = _by_key(dataset), values
        rows = decoded(dataset, (await self._database.snapshot([query], short=True))[0])
        return rows[0] if rows and seen.matches(rows[0]) else None

    async def count(self, dataset: Dataset[R], seen: Filter) -> int:
        """How many records match."""
        freshness = await self.freshness(dataset)
        known = self._counts.get((dataset.name, seen))
        if known is not None and known[0] == freshness.seq:
            return known[1]
        table = table_of(dataset)
        count = select(func.count()).select_from(table).where(*clauses(table, shape_of(seen)))
        queries = [(_SEQ, {"dataset": dataset.name}), (count, values_of(seen))]
        [[[seq]], [[counted]]] = await self._database.snapshot(queries, scan=True)
        self._counts[dataset.name, seen] = seq, counted
        return int(counted)

    async def freshness(self, dataset: Dataset[R]) -> Freshness:
        """The dataset's sequence number, checkpoints and last status."""
        freshness, _ = await self._with_freshness(dataset, [], scan=False, short=True)
        return freshness

    @asynccontextmanager
    async def intake(
        self, dataset: Dataset[R], source: str, job: FetchJob
    ) -> AsyncIterator[Intake[R]]:
        """Open an intake on a connection of its own."""
        async with self._database.session() as session:
            yield SqlIntake(session, self._clock, dataset, source, job)

    async def _with_freshness(
        self,
        dataset: Dataset[R],
        queries: Sequence[SqlQuery],
        scan: bool,
        short: bool,
    ) -> tuple[Freshness, list[list[Row]]]:
        version = self._database.version()
        at, known_freshness = self._known.get(dataset.name, (None, Freshness()))
        if at == version:
            answers = []
            if queries:
                answers = await self._database.snapshot(queries, scan=scan, short=short)
            # Unless somebody wrote in between, both are of one state.
            if self._database.version() == version:
                return known_freshness, answers
        named = {"dataset": dataset.name}
        first = [(statement, named) for statement in _FRESHNESS]
        [seqs, known, statuses, planned, *answers] = await self._database.snapshot(
            [*first, *queries], scan=scan, short=short
        )
        freshness = Freshness(
            seqs[0][0] if seqs else 0,
            # A database may have an order of its own for names.
            tuple(sorted(map(_checkpoint, known), key=attrgetter("source"))),
            JobStatus(statuses[0][0]) if statuses else None,
            from_micros(planned[0][0]) if planned else None,
        )
        self._known[dataset.name] = version, freshness
        return freshness, answers


def _checkpoint(row: Row) -> Checkpoint:
    named = dict(zip(Checkpoint.__struct_fields__, row, strict=True))
    named["fetched_at"] = from_micros(named["fetched_at"])
    named["counts"] = msgspec.json.decode(named["counts"], type=Counts)
    return Checkpoint(**named)


@lru_cache(maxsize=256)
def _by_key(dataset: Dataset[Any]) -> Select[Any]:
    table = table_of(dataset)
    key = [table.c[n] == bindparam(f"key_{n}", type_=table.c[n].type) for n in dataset.key]
    return select(*(table.c[name] for name in dataset.fields)).where(*key)
