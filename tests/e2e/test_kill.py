"""kill -9 in the middle of a fetch: the data is the old set or the new one, never a mix."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from pathlib import Path

from adapters.memory.system import SeededRandom
from entrypoints.config.loading import load
from entrypoints.processes.lifecycle import running
from entrypoints.sample_upstream import SampleUpstream
from tests.e2e.conftest import Start

#: Five kills on each of four databases, side by side: a lease takes its time to run out.
TRACKS, ROUNDS = 4, 5
POSTS = 1000
PAGES = POSTS // 100
#: As long as it takes from the last page's request to the end of the process.
LONGEST_S = 0.1


async def test_a_killed_fetch_leaves_the_old_set_or_the_new_and_the_next_one_succeeds(
    start: Start, tmp_path: Path
) -> None:
    tracks = [_track(start, tmp_path / f"{track}.db", track) for track in range(TRACKS)]

    left: Counter[str] = sum(await asyncio.gather(*tracks), Counter())

    assert left.total() == TRACKS * ROUNDS
    assert left["old"] >= left.total() // 2


async def _track(start: Start, path: Path, seed: int) -> Counter[str]:
    moments = SeededRandom(seed)
    left: Counter[str] = Counter()
    async with SampleUpstream() as upstream:
        upstream.set_posts(upstream.collection(POSTS).records)
        upstream.revise(0)
        settings = _settings(upstream, path)
        await _fetch(settings)
        for generation in range(1, ROUNDS + 1):
            upstream.revise(generation)
            upstream.forget()
            process = await start("fetch", "posts", **settings)
            # Every other time somewhere among the pages, the others around the merge.
            page = PAGES if generation % 2 == 0 else 1 + int(moments.fraction() * (PAGES - 1))
            await upstream.arrived(page)
            await _killed(process, moments.fraction() * LONGEST_S * (page == PAGES))

            seen = _generations(path)
            assert seen in ({generation - 1: POSTS}, {generation: POSTS})
            left["new" if generation in seen else "old"] += 1

            await _fetch(settings)
            assert _generations(path) == {generation: POSTS}
    assert _integrity(path) == "ok"
    return left


def _settings(upstream: SampleUpstream, path: Path) -> dict[str, str]:
    host, port = upstream.address
    return {
        "CATCHMENT_DATABASE_URL": f"sqlite:///{path}",
        "CATCHMENT_POSTS_URL": upstream.url("/posts?_page=1&_limit=100"),
        "CATCHMENT_COINPAPRIKA_URL": "",
        "CATCHMENT_MIN_FETCH_INTERVAL": "0s",
        "CATCHMENT_RATE_LIMITS": f"{host}:{port}=10000/1s",
    }


async def _killed(process: asyncio.subprocess.Process, after_s: float) -> None:
    try:
        await asyncio.wait_for(process.wait(), after_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # it may have just ended
            process.kill()
        await process.wait()


async def _fetch(settings: dict[str, str]) -> None:
    async with running(load(settings)) as container:
        fetched = await container.fetch_posts()()
        assert fetched.job.status == "succeeded", fetched.job


def _generations(path: Path) -> dict[int, int]:
    titles = _rows(path, "SELECT title FROM d_posts")
    return dict(Counter(int(title.rpartition(" ")[2].rstrip(")")) for title in titles))


def _integrity(path: Path) -> str:
    return _rows(path, "PRAGMA integrity_check")[0]


def _rows(path: Path, statement: str) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [str(row[0]) for row in connection.execute(statement)]
    finally:
        connection.close()
