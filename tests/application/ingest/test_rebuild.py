"""Rebuilds: a dataset is reprocessed from all stored payloads, or only as a dry run."""

from datetime import timedelta

from adapters.memory.ingest import MemorySource
from domain.builtin.posts import POSTS, Post
from domain.dataset import Role
from domain.jobs import JobStatus, Mode
from domain.payloads import Batch, Payload
from domain.politeness import Cadence
from domain.reports import Counts, Outcome
from tests.application.ingest.test_replay import Strictest
from tests.application.reprocessing import came, fixed, many, strict
from tests.application.rig import Rig, counts_of, only


async def test_a_rebuild_reads_all_committed_payloads_and_sends_no_request(rig: Rig) -> None:
    await came(rig, many(good=2, bad=1), many(good=2, bad=1, first=11))
    source = fixed(rig)

    rebuilt = await rig.fetch(source).reprocess(Role.ADMIN, Mode.REBUILD)

    assert (rebuilt.outcome, rebuilt.job.status) == (Outcome.CHANGED, JobStatus.SUCCEEDED)
    assert counts_of(rebuilt) == Counts(received=6, inserted=2, unchanged=4)
    assert source.asked == []
    assert await rig.quarantine.count("posts") == 0


async def test_after_a_rebuild_nothing_has_to_be_reprocessed(rig: Rig) -> None:
    await came(rig, many(good=2, bad=1))
    fetch = rig.fetch(fixed(rig), cadence=Cadence(interval=timedelta(hours=1)))
    await fetch.reprocess(Role.ADMIN, Mode.REBUILD)

    assert (await fetch()).outcome is Outcome.FRESH


async def test_a_held_fetch_is_not_merged_by_a_rebuild(rig: Rig) -> None:
    await came(rig, many(good=2, bad=0), many(good=5, bad=30, first=100))

    rebuilt = await rig.fetch(strict(rig)).reprocess(Role.ADMIN, Mode.REBUILD)

    assert counts_of(rebuilt) == Counts(received=2, unchanged=2)
    assert await rig.quarantine.count("posts") == 30


async def test_rows_of_removed_payloads_stay(rig: Rig) -> None:
    await came(rig, many(good=2, bad=0), many(good=2, bad=0, first=11))
    del rig.database.kept["posts", "one"][0]

    rebuilt = await rig.fetch(fixed(rig)).reprocess(Role.ADMIN, Mode.REBUILD)

    assert counts_of(rebuilt) == Counts(received=2, unchanged=2)
    assert len(await rig.stored()) == 4


async def test_a_normaliser_that_reads_fewer_records_rebuilds_nothing(rig: Rig) -> None:
    await came(rig, many(good=30, bad=1))

    rebuilt = await rig.fetch(fixed(rig, record=Strictest)).reprocess(Role.ADMIN, Mode.REBUILD)

    error = only(rebuilt).error
    assert error is not None
    assert (rebuilt.outcome, error.code) == (Outcome.FAILED, "held")
    assert len(await rig.stored()) == 30
    assert await rig.quarantine.count("posts") == 1


async def test_a_dry_run_reports_what_a_rebuild_would_do_and_changes_nothing(rig: Rig) -> None:
    await came(rig, many(good=2, bad=1))
    before = await rig.stored(), await rig.store.freshness(POSTS), dict(rig.database.jobs)
    fetch = rig.fetch(fixed(rig))

    report = await fetch.dry_run(Role.ADMIN)

    assert report.counts == Counts(received=3, inserted=1, unchanged=2)
    after = await rig.stored(), await rig.store.freshness(POSTS), dict(rig.database.jobs)
    assert after == before
    assert await rig.quarantine.count("posts") == 1
    assert counts_of(await fetch.reprocess(Role.ADMIN, Mode.REBUILD)) == report.counts


class Blind(MemorySource[Post]):
    """A source whose new version finds no record in any payload."""

    def normalise(self, payload: Payload) -> Batch[Post]:
        """Return no records."""
        return Batch([], [], "/{}".format)


async def test_a_normaliser_that_finds_no_record_deletes_nothing(rig: Rig) -> None:
    await came(rig, many(good=3, bad=0))
    blind = Blind("one", Post, rig.clock)

    rebuilt = await rig.fetch(blind).reprocess(Role.ADMIN, Mode.REBUILD)

    assert counts_of(rebuilt).deleted == 0
    assert len(await rig.stored()) == 3


async def test_a_damaged_payload_is_left_out_and_its_records_stay(rig: Rig) -> None:
    await came(rig, many(good=2, bad=1), many(good=2, bad=1, first=11))
    damaged = rig.database.kept["posts", "one"][0].receipt
    rig.database.damaged.add(damaged)

    rebuilt = await rig.fetch(fixed(rig)).reprocess(Role.ADMIN, Mode.REBUILD)

    error = only(rebuilt).error
    assert error is not None
    assert (rebuilt.outcome, error.code) == (Outcome.PARTIAL, "damaged_payload")
    assert f"receipt {damaged} " in error.detail
    assert counts_of(rebuilt) == Counts(received=3, inserted=1, unchanged=2)
    assert len(await rig.stored()) == 5
    assert await rig.quarantine.count("posts") == 1


async def test_a_replay_of_a_damaged_payload_says_so(rig: Rig) -> None:
    await came(rig, many(good=2, bad=1), many(good=2, bad=1, first=11))
    damaged = rig.database.kept["posts", "one"][0].receipt
    rig.database.damaged.add(damaged)

    replayed = await rig.fetch(fixed(rig)).reprocess(Role.ADMIN, Mode.REPLAY)

    error = only(replayed).error
    assert error is not None
    assert (replayed.outcome, error.code) == (Outcome.PARTIAL, "damaged_payload")
    assert await rig.quarantine.count("posts") == 1


async def test_a_held_fetch_with_a_damaged_payload_stays_held(rig: Rig) -> None:
    await came(rig, many(good=5, bad=30))
    rig.database.damaged.add(rig.database.kept["posts", "one"][0].receipt)

    replayed = await rig.fetch(fixed(rig)).reprocess(Role.ADMIN, Mode.REPLAY)

    error = only(replayed).error
    assert error is not None
    assert (replayed.outcome, error.code) == (Outcome.FAILED, "damaged_payload")


async def test_a_fetch_after_an_upgrade_goes_on_past_a_damaged_payload(rig: Rig) -> None:
    await came(rig, many(good=2, bad=0), many(good=2, bad=0, first=11))
    rig.database.damaged.add(rig.database.kept["posts", "one"][0].receipt)
    source = fixed(rig)

    fetched = await rig.fetch(source)()

    error = only(fetched).error
    assert error is not None
    assert error.code == "damaged_payload"
    assert source.asked
