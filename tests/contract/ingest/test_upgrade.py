"""After an upgrade of a normaliser, misread records are corrected from stored payloads."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from adapters.memory.operations import MemoryEvents, MemoryTracer
from adapters.outbound.builtin.crypto_assets import assets_csv, coinpaprika
from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.sources import DefinedSource
from application.ingest.sync_source import SourceSync
from application.ports.ingest import Ask
from domain.builtin.crypto_assets import CRYPTO_ASSETS, CryptoAsset
from domain.builtin.posts import POSTS, Post
from domain.dataset import Dataset
from domain.errors import SourceUnavailable
from domain.payloads import Payload
from domain.reports import Counts, SourceReport, SourceStatus
from domain.retention import RetainedKind
from domain.sources import SourceDefinition
from tests.contract.backends import Backend

BEFORE = "normaliser of the version before"


class Away(DefinedSource[Any]):
    """A source whose upstream is unreachable, so that only stored payloads can be read."""

    @property
    def host(self) -> str:
        return "away.example"

    async def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        raise SourceUnavailable("the upstream is away")
        yield  # it must still be a generator


async def misread(
    backend: Backend,
    dataset: Dataset[Any],
    source: str,
    body: bytes,
    kind: str,
    rows: Sequence[Any],
) -> None:
    """Store a fetch as the version before did: its payload, and its records."""
    job = await backend.claimed(dataset)
    async with backend.intakes.open(dataset, source, job) as intake:
        received = msgspec.structs.replace(backend.payload(body), content_type=kind)
        await intake.add(rows, await intake.keep(received))
        known = backend.checkpoint(job, source)
        await intake.commit(msgspec.structs.replace(known, normaliser_version=BEFORE))
    await backend.end(job)
    backend.clock.advance(60)


async def upgraded(
    backend: Backend, dataset: Dataset[Any], definition: SourceDefinition[Any], due: bool = False
) -> SourceReport:
    """Run the first fetch of the new version."""
    sync = SourceSync(
        dataset, Away(definition), backend.intakes, backend.clock, MemoryEvents(), MemoryTracer()
    )
    job = await backend.claimed(dataset)
    known = (await backend.store.freshness(dataset)).of(definition.name)
    assert known is not None
    report = await sync(job, known, backend.clock.now() + timedelta(minutes=1), due)
    after = (await backend.store.freshness(dataset)).of(definition.name)
    assert after is not None
    assert after.normaliser_version == sync.normaliser_version != BEFORE
    await backend.end(job)
    return report


def asset(source_id: str, **known: Any) -> CryptoAsset:
    """Return a row of the user's file."""
    given = {"source": "csv", "symbol": "BTC", "name": "Bitcoin", "price_usd": 1.0}
    return CryptoAsset(source_id=source_id, **(given | known))


async def stored(backend: Backend, dataset: Dataset[Any]) -> list[Any]:
    """Return the stored rows, without the times of their changes."""
    return [msgspec.structs.astuple(row)[:-1] for row in await backend.everything(dataset)]


def told(*records: msgspec.Struct) -> list[Any]:
    """The same of records."""
    return [msgspec.structs.astuple(record) for record in records]


async def test_mojibake_is_corrected_from_what_was_kept(backend: Backend) -> None:
    body = (
        '[{"userId":7,"id":1,"title":"Café","body":"b"},{"userId":7.0,"id":2,"title":"","body":""}]'
    )
    await misread(
        backend,
        POSTS,
        "jsonplaceholder",
        body.encode(),
        "application/json;charset=ISO-8859-1",
        [Post(1, 7, "CafÃ©", "b")],
    )

    report = await upgraded(backend, POSTS, jsonplaceholder("http://away.example/"))

    assert (report.status, report.requests) == (SourceStatus.SUCCEEDED, 0)
    assert report.counts == Counts(received=2, inserted=1, updated=1)
    assert await stored(backend, POSTS) == told(Post(1, 7, "Café", "b"), Post(2, 7, "", ""))


async def test_a_key_that_was_misread_leaves_no_ghost(backend: Backend) -> None:
    body = (
        b'id, symbol, name, price_usd\n "btc", BTC, "Bitcoin", 1.0\n,,,\n "eth", ETH, "Ether", .5\n'
    )
    await misread(
        backend,
        CRYPTO_ASSETS,
        "csv",
        body,
        "text/csv",
        [asset('"btc"', name='"Bitcoin"'), asset("kept", name="of the same payload, and no more")],
    )
    await backend.bring([asset("theirs", source="other")], CRYPTO_ASSETS, "other")

    report = await upgraded(backend, CRYPTO_ASSETS, assets_csv("http://away.example/"))

    assert report.counts == Counts(received=2, inserted=2, deleted=2)
    assert await stored(backend, CRYPTO_ASSETS) == told(
        asset("btc"),
        asset("eth", symbol="ETH", name="Ether", price_usd=0.5),
        asset("theirs", source="other"),
    )


async def test_of_two_things_that_got_one_key_the_first_is_stored_again(backend: Backend) -> None:
    body = b"symbol,name,price_usd\nWIF,dogwifhat,1\n$WIF,dogwifhat,2\nBTC,Bitcoin,1\n"
    wif = asset("wif-dogwifhat", symbol="WIF", name="dogwifhat")
    other = msgspec.structs.replace(wif, symbol="$WIF", price_usd=2.0)
    btc = asset("btc-bitcoin")
    await misread(backend, CRYPTO_ASSETS, "csv", body, "text/csv", [wif, other, btc])
    before = await stored(backend, CRYPTO_ASSETS)

    report = await upgraded(backend, CRYPTO_ASSETS, assets_csv("http://away.example/"))

    assert before == told(btc, other)
    assert report.counts == Counts(received=3, updated=1, unchanged=1, quarantined=1)
    assert await stored(backend, CRYPTO_ASSETS) == told(btc, wif)
    [waiting] = await backend.quarantine.recent(CRYPTO_ASSETS.name, 10)
    assert waiting.pointer == "line 3"
    assert waiting.reason.startswith("key_not_unique: line 2 has the same source and source_id")


async def test_a_source_that_fails_when_it_is_due_is_read_again_all_the_same(
    backend: Backend,
) -> None:
    body = b'id,symbol,name,price_usd\n"btc" ,BTC,Bitcoin,1\n'
    await misread(backend, CRYPTO_ASSETS, "csv", body, "text/csv", [asset('"btc"')])

    definition = assets_csv("http://away.example/")
    report = await upgraded(backend, CRYPTO_ASSETS, definition, due=True)

    assert report.error is not None
    assert report.error.code == "source_unavailable"
    assert await stored(backend, CRYPTO_ASSETS) == told(asset("btc"))


async def test_times_that_were_rounded_are_cut_and_those_never_set_are_missing(
    backend: Backend,
) -> None:
    body = (
        b'[{"id":"a","name":"A","symbol":"A","quotes":{"USD":{"price":1}},'
        b'"last_updated":"2025-12-31T23:59:59.9999999Z"},'
        b'{"id":"b","name":"B","symbol":"B","quotes":{"USD":{"price":1}},'
        b'"last_updated":"0001-01-01T00:00:00Z"}]'
    )
    a = asset("a", source="coinpaprika", symbol="A", name="A")
    rounded = msgspec.structs.replace(a, updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    await misread(backend, CRYPTO_ASSETS, "coinpaprika", body, "application/json", [rounded])

    await upgraded(backend, CRYPTO_ASSETS, coinpaprika("http://away.example/"))

    cut = datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert await stored(backend, CRYPTO_ASSETS) == told(
        msgspec.structs.replace(a, updated_at=cut),
        asset("b", source="coinpaprika", symbol="B", name="B"),
    )


async def test_rows_whose_payloads_are_kept_no_more_stay_as_they_are(backend: Backend) -> None:
    old, new = b"id,symbol,name,price_usd\n", b"id,symbol,name,price_usd\n btc,BTC,Bitcoin,1\n"
    await misread(backend, CRYPTO_ASSETS, "csv", old, "text/csv", [asset('"old"')])
    before = backend.clock.now()
    await misread(backend, CRYPTO_ASSETS, "csv", new, "text/csv", [asset('"btc"')])
    while await backend.retention.prune(RetainedKind.PAYLOADS, before, 100):
        pass

    await upgraded(backend, CRYPTO_ASSETS, assets_csv("http://away.example/"))

    assert await stored(backend, CRYPTO_ASSETS) == told(asset('"old"'), asset("btc"))


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_reprocessed_payload_replaces_its_earlier_rows(
    backend: Backend, dry_run: bool
) -> None:
    first, second = b"1", b"2"
    await misread(backend, CRYPTO_ASSETS, "csv", first, "", [asset("a"), asset("b")])
    await misread(backend, CRYPTO_ASSETS, "csv", second, "", [asset("a", rank=2), asset("c")])
    before = await stored(backend, CRYPTO_ASSETS)
    job = await backend.claimed(CRYPTO_ASSETS)

    async with backend.intakes.open(CRYPTO_ASSETS, "csv", job) as intake:
        [older, newer] = [kept.payload async for kept in intake.kept()]
        # Where the newer payload gives no row, the older one's is back.
        await intake.add([asset("a"), asset("b")], older)
        await intake.add([asset("d")], newer)
        counts = await intake.commit(None, dry_run=dry_run, anew=True)

    assert counts == Counts(received=3, inserted=2, unchanged=1, deleted=2)
    after = told(asset("a"), asset("b"), asset("d"))
    assert await stored(backend, CRYPTO_ASSETS) == (before if dry_run else after)


async def test_when_reprocessing_gives_nothing_no_row_is_left(
    backend: Backend,
) -> None:
    await misread(backend, CRYPTO_ASSETS, "csv", b"1", "", [asset("a")])
    seq = (await backend.store.freshness(CRYPTO_ASSETS)).seq
    job = await backend.claimed(CRYPTO_ASSETS)

    async with backend.intakes.open(CRYPTO_ASSETS, "csv", job) as intake:
        assert await intake.commit(None) == Counts()
        assert await intake.commit(None, anew=True) == Counts(deleted=1)

    assert await stored(backend, CRYPTO_ASSETS) == []
    assert (await backend.store.freshness(CRYPTO_ASSETS)).seq == seq + 1
