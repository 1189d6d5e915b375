"""PostgreSQL answers fast queries along an index, in its order, up to the limit."""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy import select

from adapters.memory.system import SteerableClock
from adapters.sql.datasets.queries import Shape, statements_of
from adapters.sql.engine.dialects import now
from adapters.sql.engine.postgres.database import DIRECT, postgres_compiler
from adapters.sql.schema.tables import jobs
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.filters import Filter
from domain.paging import PageRequest, Sort
from tests.adapters.sql.conftest import FAST_POSTS, some_posts
from tests.services.postgres import administering, migrated_database
from tests.strategies import SAMPLES, sample

DECLARED = (POSTS, SAMPLES)
_MANY_POSTS = """
INSERT INTO d_posts SELECT n, n / 10, 'title ' || n, 'body ' || n, 's', 1, n, 1, n
FROM generate_series(1, 5000) n
"""
_MANY_SAMPLES = """
INSERT INTO d_samples SELECT 's', n, nullif(n % 100, 7), 1, NULL, true, NULL, n, NULL, 'title', 'x',
 'calm', 'on', '[]', NULL, 's', 1, n, 1, n
FROM generate_series(1, 5000) n
"""


@pytest.fixture
async def connection() -> AsyncIterator[asyncpg.Connection]:
    """Open a connection with the settings of fast reads, to many rows without statistics."""
    async with migrated_database(DECLARED) as url, administering(url) as connection:
        for name, value in DIRECT.items():
            await connection.execute(f"SET {name} TO {value}")
        await connection.execute(_MANY_POSTS)
        await connection.execute(_MANY_SAMPLES)
        yield connection


async def _plans(connection: asyncpg.Connection, dataset: Dataset[Any], request: Any) -> list[str]:
    compiler = postgres_compiler()
    plans = []
    for segment in statements_of("postgresql", dataset, Shape.of(request)).segments:
        statement = compiler.bind(segment, {})
        await connection.execute(f"PREPARE page AS {statement.text}")
        # The plan is the same for all values.
        values = ", ".join("NULL" for _ in statement.values)
        lines = await connection.fetch(f"EXPLAIN EXECUTE page({values})")
        await connection.execute("DEALLOCATE page")
        plans.append("\n".join(line for [line] in lines))
    return plans


def _pages(dataset: Dataset[Any], filter: list[tuple[str, str]], sort: str) -> list[PageRequest]:
    """Return requests for the first page and for the page after a row of the dataset."""
    first = PageRequest(filter=Filter.parse(dataset.fields, filter), sort=Sort.parse(dataset, sort))
    record = some_posts(1)[0] if dataset is POSTS else sample(1, count=5, note="n", rating=1.0)
    row = dataset.stored(record, SteerableClock().now())
    return [first, msgspec.structs.replace(first, cursor=first.cursor_after(row))]


#: With keys of several fields, and values that may be missing.
FAST_SAMPLES: list[tuple[list[tuple[str, str]], str]] = [
    ([], "source,number"),
    ([], "-source,-number"),
    ([], "count"),
    ([], "-count"),
    ([], "rating"),
    ([], "-rating"),
    ([], "note,price"),
    ([("mood", "calm")], "seen_at"),
    ([("mood", "calm")], "-seen_at"),
]


async def test_fast_queries_are_read_along_an_index(connection: asyncpg.Connection) -> None:
    cases = [(POSTS, case) for case in FAST_POSTS] + [(SAMPLES, case) for case in FAST_SAMPLES]
    for dataset, (filter, sort) in cases:
        for request in _pages(dataset, filter, sort):
            assert dataset.answers_fast(request.filter, request.sort.names)
            for plan in await _plans(connection, dataset, request):
                assert plan.startswith("Limit"), (filter, sort)
                assert not {"Sort", "Seq", "Bitmap"} & set(re.findall(r"\w+", plan)), (filter, sort)
                assert "Index Cond" in plan or not (filter or request.cursor), (filter, sort)


async def test_a_list_of_values_is_searched_for_in_an_index(
    connection: asyncpg.Connection,
) -> None:
    [request, _] = _pages(POSTS, [("user_id__in", "1,2,3")], "user_id")

    [plan] = await _plans(connection, POSTS, request)

    assert "Index Cond: (user_id = ANY" in plan


async def test_the_present_time_is_computed_once_and_searched_for_in_an_index(
    connection: asyncpg.Connection,
) -> None:
    await connection.execute("SET enable_seqscan TO off; CREATE INDEX ON jobs (lease_until)")
    statement = postgres_compiler().bind(select(jobs.c.id).where(jobs.c.lease_until <= now()), {})

    lines = await connection.fetch(f"EXPLAIN {statement.text}", None)

    assert "Index Cond: (lease_until <= " in "\n".join(line for [line] in lines)
    await connection.execute("DROP INDEX jobs_lease_until_idx")
