"""Fetching the same twice changes nothing but the checkpoints."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.ingest import MemorySource
from adapters.memory.operations import MemoryEvents, MemoryTracer
from application.ingest.sync_source import SourceSync
from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset
from domain.payloads import Batch, Payload
from domain.reports import Counts, SourceReport
from tests.application.rig import adds_up
from tests.contract.backends import Backend, Open

Pages = list[list[Any]]


class Upstream(MemorySource[CryptoAsset]):
    """A source with these pages, which counts the pages it reads."""

    def __init__(self, backend: Backend, name: str, pages: Pages) -> None:
        super().__init__(name, CryptoAsset, backend.clock)
        self.says(pages)
        self.read = 0

    def says(self, pages: Pages) -> None:
        """Set the pages."""
        self.pages = [msgspec.json.encode(page) for page in pages]

    def normalise(self, payload: Payload) -> Batch[CryptoAsset]:
        """Read the payload, and record it."""
        self.read += 1
        return super().normalise(payload)


async def fetched(
    backend: Backend, *sources: Upstream, forgets: bool = False
) -> list[SourceReport]:
    """Fetch from all sources; one that forgets does not know its last pages any more."""
    backend.clock.advance(60)
    job = await backend.claimed(CRYPTO_ASSETS)
    freshness = await backend.store.freshness(CRYPTO_ASSETS)
    reports = []
    for source in sources:
        source.read = 0
        known = freshness.of(source.name)
        if known is not None and forgets:
            known = msgspec.structs.replace(known, digest="")
        sync = SourceSync(
            CRYPTO_ASSETS, source, backend.intakes, backend.clock, MemoryEvents(), MemoryTracer()
        )
        reports.append(await sync(job, known, backend.clock.now() + timedelta(minutes=1)))
    await backend.end(job)
    return reports


async def stored(backend: Backend) -> tuple[Any, ...]:
    """Return the rows with the times of their changes, and the number of the last change."""
    freshness = await backend.store.freshness(CRYPTO_ASSETS)
    return await backend.everything(CRYPTO_ASSETS), freshness.seq


async def waiting(backend: Backend) -> list[Any]:
    """Return all that waits in quarantine."""
    return await backend.quarantine.recent(CRYPTO_ASSETS.name, 1000)


def ids(waiting: list[Any]) -> set[int]:
    """Return which records wait, whenever they were seen last."""
    return {one.id for one in waiting}


async def values(backend: Backend) -> dict[Any, Any]:
    """Return the rank of each stored record by its key."""
    rows = await backend.everything(CRYPTO_ASSETS)
    return {(row.source, row.source_id): row.rank for row in rows}


def again(reports: Sequence[SourceReport]) -> list[Counts]:
    """Return the counts that the same fetch has when it comes again."""
    return [report.counts.repeated for report in reports]


def counted(reports: Sequence[SourceReport]) -> list[Counts]:
    """Return the counts of reports, which must add up."""
    assert all(adds_up(report.counts) for report in reports)
    return [report.counts for report in reports]


# ---------------------------------------------------------------- pages of sources


def item(source: str, key: str = "a", rank: Any = None) -> dict[str, Any]:
    """Return one asset as a source sends it."""
    return {"source": source, "source_id": key, "symbol": "S", "name": "N", "rank": rank}


def pages_of(source: str) -> st.SearchStrategy[Pages]:
    """The pages of a source: few keys and values, so that pages and records come again."""
    good = st.builds(item, st.just(source), st.sampled_from("abc"), st.none() | st.integers(1, 2))
    bad = st.sampled_from([7, {"source": source}, item(source, rank="first")])
    page = st.lists(st.one_of(good, good, good, bad), max_size=4)
    return st.lists(page, min_size=1, max_size=4)


upstreams = st.fixed_dictionaries({"one": pages_of("one")}, optional={"two": pages_of("two")})


def is_good(one: Any) -> bool:
    """Return whether an item can be read."""
    return one != 7 and one.get("rank", "first") != "first"


def model_of(pages: Pages) -> dict[Any, Any]:
    """Return what should be stored of one source; nothing when its key is none.

    Of each key it is the first record of the last page that has one.
    """
    stored: dict[Any, Any] = {}
    collisions = 0
    for page in pages:
        first: dict[Any, Any] = {}
        for one in filter(is_good, page):
            key = one["source"], one["source_id"]
            collisions += first.setdefault(key, one["rank"]) != one["rank"]
        stored |= first
    is_held = collisions > 1 and collisions > 0.01 * sum(map(len, pages))
    return {} if is_held else stored


@settings(max_examples=15)
@given(upstreams, st.integers(1, 3))
async def test_fetching_twice_is_fetching_once(
    open_backend: Open, upstreams: dict[str, Pages], times: int
) -> None:
    async with open_backend() as backend:
        sources = [Upstream(backend, name, pages) for name, pages in upstreams.items()]
        first = await fetched(backend, *sources)
        before = await stored(backend), await waiting(backend)
        expected = [model_of(pages) for pages in upstreams.values()]

        for _ in range(times):
            assert counted(await fetched(backend, *sources)) == again(first)

        assert await stored(backend) == before[0]
        assert await values(backend) == {key: rank for one in expected for key, rank in one.items()}
        freshness = await backend.store.freshness(CRYPTO_ASSETS)
        merged = [(s, report) for s, report in zip(sources, first, strict=True) if not report.error]
        # What was merged is not even read again; what was held is judged anew.
        assert [source.read for source, _ in merged] == [0] * len(merged)
        for source, report in merged:
            known = freshness.of(source.name)
            assert known is not None
            assert (known.fetched_at, known.counts) == (backend.clock.now(), report.counts.repeated)
        if len(merged) == len(sources):
            assert await waiting(backend) == before[1]
        assert ids(await waiting(backend)) == ids(before[1])


@settings(max_examples=15)
@given(upstreams)
async def test_reading_the_same_again_changes_no_record(
    open_backend: Open, upstreams: dict[str, Pages]
) -> None:
    async with open_backend() as backend:
        sources = [Upstream(backend, name, pages) for name, pages in upstreams.items()]
        first = await fetched(backend, *sources)
        before = await stored(backend), await waiting(backend)

        assert counted(await fetched(backend, *sources, forgets=True)) == again(first)

        assert [source.read for source in sources] == [len(source.pages) for source in sources]
        assert await stored(backend) == before[0]
        assert ids(await waiting(backend)) == ids(before[1])


@settings(max_examples=15)
@given(pages_of("one"), pages_of("one"), st.integers(0, 4))
async def test_pages_that_were_known_and_new_ones_are_one_walk(
    open_backend: Open, before: Pages, after: Pages, same: int
) -> None:
    async with open_backend() as backend:
        source = Upstream(backend, "one", before)
        await fetched(backend, source)
        changed = before[:same] + after
        source.says(changed)

        reports = await fetched(backend, source)
        once_more = await fetched(backend, source)

        assert counted(reports)[0].received == sum(map(len, changed))
        assert counted(once_more) == again(reports)
        assert await values(backend) == model_of(before) | model_of(changed)


async def test_a_key_that_comes_on_two_pages_changes_its_record_once(backend: Backend) -> None:
    pages = [
        [item("one", str(number), rank=1) for number in range(page, page + 10)] for page in (0, 10)
    ]
    pages[1][0] = item("one", "0", rank=2)
    source = Upstream(backend, "one", pages)

    [first] = counted(await fetched(backend, source))
    before = await stored(backend)
    counts = [counted(await fetched(backend, source)) for _ in range(4)]

    assert first == Counts(received=20, inserted=19, duplicates=1)
    assert counts == [[Counts(received=20, unchanged=19, duplicates=1)]] * 4
    assert await stored(backend) == before
    assert (await values(backend))["one", "0"] == 2
