"""The bare limit of ingest: fetch, decode, hash and merge posts with nothing around it.

    python -m tests.bench.bare_ingest UPSTREAM DATABASE

Once into an empty table, and again with nothing changed; prints as JSON how many seconds each took.
It stores no payloads, no quarantine and no job, and makes no report.
"""

import asyncio
import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from urllib.request import urlopen

import asyncpg
import httpx
import msgspec

from tests.bench.databases import file_of
from tests.bench.upstream import PAGE

_TABLE = "(id {id} PRIMARY KEY, user_id bigint, title text, body text, hash bigint)"
_DIFFERS = "DO UPDATE SET user_id = excluded.user_id, title = excluded.title, body = excluded.body"
_MERGE = f"ON CONFLICT (id) {_DIFFERS}, hash = excluded.hash WHERE bare.hash <> excluded.hash"

Row = tuple[int, int, str, str, int]


class Post(msgspec.Struct, rename="camel"):
    """A post as the upstream spells it."""

    user_id: int
    id: int
    title: str
    body: str


async def main() -> None:
    """Ingest twice and print how long it took."""
    upstream, url = sys.argv[1:]
    ingest = _into_sqlite if url.startswith("sqlite") else _into_postgres
    took = []
    for spaces in (0, 1):
        await asyncio.to_thread(lambda n=spaces: urlopen(f"{upstream}/set?spaces={n}").close())  # noqa: S310
        began = time.perf_counter()
        await ingest(upstream, url)
        took.append(time.perf_counter() - began)
    print(json.dumps(took))


async def _into_sqlite(upstream: str, url: str) -> None:
    connection = sqlite3.connect(file_of(url), isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"CREATE TABLE IF NOT EXISTS bare {_TABLE.format(id='integer')}")
    connection.execute("CREATE INDEX IF NOT EXISTS by_user ON bare (user_id, id)")
    connection.execute("BEGIN IMMEDIATE")
    async for rows in _pages(upstream):
        connection.executemany(f"INSERT INTO bare VALUES (?, ?, ?, ?, ?) {_MERGE}", rows)
    connection.execute("COMMIT")
    connection.close()


async def _into_postgres(upstream: str, url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE TABLE IF NOT EXISTS bare {_TABLE.format(id='bigint')}")
    await connection.execute("CREATE INDEX IF NOT EXISTS by_user ON bare (user_id, id)")
    await connection.execute("CREATE TEMP TABLE staged (LIKE bare)")
    async for rows in _pages(upstream):
        await connection.copy_records_to_table("staged", records=rows)
    await connection.execute(f"INSERT INTO bare SELECT * FROM staged {_MERGE}")
    await connection.close()


async def _pages(upstream: str) -> AsyncIterator[list[Row]]:
    decode = msgspec.json.Decoder(list[Post]).decode
    async with httpx.AsyncClient() as client:
        url: str | None = f"{upstream}/posts?_page=1&_limit={PAGE}"
        while url is not None:
            answer = await client.get(url)
            yield list(_rows(decode(answer.content)))
            url = answer.links.get("next", {}).get("url")


def _rows(posts: list[Post]) -> Iterator[Row]:
    pack = msgspec.msgpack.Encoder().encode
    for post in posts:
        values = (post.id, post.user_id, post.title, post.body)
        digest = hashlib.blake2b(pack(values), digest_size=8).digest()
        yield (*values, int.from_bytes(digest, signed=True))


if __name__ == "__main__":
    asyncio.run(main())
