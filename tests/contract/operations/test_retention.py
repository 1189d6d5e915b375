"""Contract of `Retention`: expired rows are removed in batches, needed ones stay."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from application.ports.jobs import SavedAnswer
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.errors import InvalidToken, LeaseLost
from domain.jobs import FetchJob, JobStatus
from domain.politeness import Rate
from domain.reports import FetchReport, Rejection
from domain.retention import NETWORKS_KEPT, RetainedKind
from domain.sessions import ApiToken, Session
from tests.contract.backends import Backend
from tests.strategies import SAMPLES, sample

MICROSECOND, DAY = timedelta(microseconds=1), timedelta(days=1)
ANSWER = SavedAnswer(status=200, headers={}, body=b"{}")


async def fetch(
    backend: Backend,
    *bodies: bytes,
    source: str = "one",
    commits: bool = True,
    rejected: Sequence[Rejection] = (),
    dataset: Dataset[Any] = SAMPLES,
) -> FetchJob:
    """Run a whole fetch, a day after the last one; each body is a page."""
    backend.clock.advance(DAY)
    job = await backend.claimed(dataset)
    async with backend.intakes.open(dataset, source, job) as intake:
        for body in bodies:
            kept = await intake.keep(backend.payload(body))
            if rejected:
                await intake.reject(rejected, kept)
        if commits:
            await intake.commit(backend.checkpoint(job, source))
    return await backend.end(job)


async def kept(backend: Backend, source: str = "one") -> list[bytes]:
    """Return the stored bodies."""
    async with backend.intakes.open(SAMPLES, source, backend.queued()) as intake:
        return [kept.payload.body async for kept in intake.kept()]


async def prune(
    backend: Backend, what: RetainedKind, before: datetime | None = None, most: int = 500
) -> int:
    """Remove older rows, by default all; return how many were removed."""
    before = before or backend.clock.now() + MICROSECOND
    removed = 0
    while batch := await backend.retention.prune(what, before, most):
        assert batch <= most
        removed += batch
    return removed


# ---------------------------------------------------------------- all records


@pytest.mark.parametrize("what", RetainedKind)
async def test_an_empty_store_has_nothing_to_remove(backend: Backend, what: RetainedKind) -> None:
    assert await prune(backend, what) == 0


# ---------------------------------------------------------------- payloads


async def test_old_payloads_go_and_newer_ones_stay(backend: Backend) -> None:
    for body in (b"1", b"2", b"3", b"4"):
        await fetch(backend, body)

    removed = await prune(backend, RetainedKind.PAYLOADS, backend.clock.now() - DAY)

    assert removed == 2
    assert await kept(backend) == [b"3", b"4"]


async def test_all_pages_of_the_newest_merged_fetch_of_each_source_stay(backend: Backend) -> None:
    await fetch(backend, b"old 1", b"old 2", source="one")
    await fetch(backend, b"1", b"2", b"3", source="one")
    await fetch(backend, b"4", b"5", source="two")
    await fetch(backend, b"an error page", source="one", commits=False)

    removed = await prune(backend, RetainedKind.PAYLOADS)

    assert removed == 3
    assert await kept(backend, "one") == [b"1", b"2", b"3"]
    assert await kept(backend, "two") == [b"4", b"5"]


async def test_unmerged_payloads_expire(backend: Backend) -> None:
    await fetch(backend, b"an error page", commits=False)

    assert await prune(backend, RetainedKind.PAYLOADS) == 1


async def test_a_body_that_came_again_stays_until_its_last_arrival_goes(backend: Backend) -> None:
    for _ in range(3):
        await fetch(backend, b"same")
    await fetch(backend, b"other")

    counted = [
        await prune(backend, RetainedKind.PAYLOADS, backend.clock.now() - DAY * 2),
        len(await kept(backend)),
        await prune(backend, RetainedKind.PAYLOADS),
        len(await kept(backend)),
    ]
    await fetch(backend, b"same")

    assert counted == [1, 3, 2, 1]
    assert await kept(backend) == [b"other", b"same"]


async def test_payloads_of_records_in_quarantine_stay_with_them(
    backend: Backend,
) -> None:
    await fetch(backend, b"good")
    await fetch(backend, b"bad", rejected=[Rejection("/0", "is bad")])
    await fetch(backend, b"newest")

    removed = [
        await prune(backend, what) for what in (RetainedKind.PAYLOADS, RetainedKind.QUARANTINE)
    ]
    before = await kept(backend)
    removed.append(await prune(backend, RetainedKind.PAYLOADS))

    assert removed == [1, 1, 1]
    assert (before, await kept(backend)) == ([b"bad", b"newest"], [b"newest"])


async def test_payloads_of_a_running_fetch_stay(backend: Backend) -> None:
    await fetch(backend, b"old")
    job = await backend.claimed()
    async with backend.intakes.open(SAMPLES, "one", job) as intake:
        await intake.keep(backend.payload(b"1"))
        backend.clock.advance(1)
        early = await prune(backend, RetainedKind.PAYLOADS)
        await intake.keep(backend.payload(b"2"))
        await intake.commit(backend.checkpoint(job))
    await backend.end(job)

    assert (early, await prune(backend, RetainedKind.PAYLOADS)) == (0, 1)
    assert await kept(backend) == [b"1", b"2"]


async def test_payloads_go_in_batches_the_oldest_first(backend: Backend) -> None:
    await fetch(backend, *(str(number).encode() for number in range(20)), commits=False)
    await fetch(backend, b"newest")
    before = backend.clock.now()

    batches = []
    while batch := await backend.retention.prune(RetainedKind.PAYLOADS, before, 12):
        batches.append(batch)

    assert sum(batches) == 20
    assert max(batches) <= 12


async def test_a_body_larger_than_a_batch_goes_alone(backend: Backend) -> None:
    large = bytes(3_000_000)
    await fetch(backend, large, b"small", large[:-1], commits=False)
    await fetch(backend, b"newest")

    batches = [
        await backend.retention.prune(RetainedKind.PAYLOADS, backend.clock.now(), 3)
        for _ in range(4)
    ]

    assert sum(batches) == 3
    assert batches[-1] == 0


# ---------------------------------------------------------------- jobs


async def test_old_jobs_go_and_newer_ones_stay(backend: Backend) -> None:
    jobs = [await fetch(backend, b"1", commits=False) for _ in range(4)]

    removed = await prune(backend, RetainedKind.JOBS, backend.clock.now() - DAY)

    assert removed == 2
    stay = [await backend.history.get(job.id) is not None for job in jobs]
    assert stay == [False, False, True, True]


async def test_the_last_job_of_each_dataset_stays_with_its_status(
    backend: Backend,
) -> None:
    for dataset in (SAMPLES, POSTS):
        await fetch(backend, b"1", dataset=dataset, commits=False)
        backend.clock.advance(1)
        job = await backend.claimed(dataset)
        await backend.end(job, JobStatus.FAILED)
    before = [await backend.store.freshness(dataset) for dataset in (SAMPLES, POSTS)]

    removed = await prune(backend, RetainedKind.JOBS)

    assert removed == 2
    assert [await backend.store.freshness(dataset) for dataset in (SAMPLES, POSTS)] == before
    assert before[0].last_status is JobStatus.FAILED


async def test_the_job_a_checkpoint_names_stays(backend: Backend) -> None:
    named = await fetch(backend, b"1")
    for _ in range(2):
        await fetch(backend, b"2", commits=False)

    removed = await prune(backend, RetainedKind.JOBS)

    assert removed == 1
    assert await backend.history.get(named.id) == named


async def test_unfinished_jobs_stay_however_old(backend: Backend) -> None:
    await fetch(backend, b"1", commits=False)
    waiting = await backend.jobs.request(backend.queued(SAMPLES))
    running = await backend.claimed(POSTS)
    backend.clock.advance(DAY * 1000)

    assert await prune(backend, RetainedKind.JOBS) == 0
    assert await backend.history.get(waiting.id) == waiting
    assert await backend.history.get(running.id) == running


async def test_jobs_go_in_batches(backend: Backend) -> None:
    for _ in range(8):
        await fetch(backend, commits=False)

    batches = [
        await backend.retention.prune(RetainedKind.JOBS, backend.clock.now(), 3) for _ in range(4)
    ]

    assert batches == [3, 3, 1, 0]


async def test_a_removed_job_cannot_be_ended(backend: Backend) -> None:
    job = await backend.claimed()
    ended = await backend.end(job)
    await fetch(backend, commits=False)
    await prune(backend, RetainedKind.JOBS)

    with pytest.raises(LeaseLost):
        await backend.jobs.release(
            job.ended(JobStatus.SUCCEEDED, FetchReport(), backend.clock.now())
        )

    assert await backend.history.get(ended.id) is None


# ---------------------------------------------------------------- quarantine and keys


async def test_old_rejections_go_and_those_seen_again_stay(backend: Backend) -> None:
    gone, seen_again = Rejection("/0", "is bad"), Rejection("/1", "is bad")
    await fetch(backend, b"1", rejected=[gone, seen_again])
    await fetch(backend, b"2", rejected=[seen_again])

    removed = await prune(backend, RetainedKind.QUARANTINE, backend.clock.now())

    assert removed == 1
    [waiting] = await backend.quarantine.recent(SAMPLES.name, 10)
    assert waiting.pointer == "/1"


async def test_rejections_go_in_batches(backend: Backend) -> None:
    await fetch(backend, b"1", rejected=[Rejection(f"/{n}", "is bad") for n in range(8)])
    before = backend.clock.now() + MICROSECOND

    batches = [await backend.retention.prune(RetainedKind.QUARANTINE, before, 3) for _ in range(4)]

    assert batches == [3, 3, 2, 0]


async def test_old_keys_go_and_newer_ones_stay(backend: Backend) -> None:
    for key in ("old", "new"):
        backend.clock.advance(3600)
        await backend.idempotency.begin(key, "a request", f"job of {key}")
        await backend.idempotency.end(key, ANSWER)

    removed = await prune(backend, RetainedKind.KEYS, backend.clock.now())

    begun = [await backend.idempotency.begin(key, "a request", "other") for key in ("old", "new")]
    assert removed == 1
    assert [known.answer for known in begun] == [None, ANSWER]


async def test_pruning_changes_no_record_and_no_checkpoint(backend: Backend) -> None:
    await backend.bring([sample()])
    await fetch(backend, b"1", rejected=[Rejection("/0", "is bad")])
    before = await backend.store.freshness(SAMPLES), await backend.everything()

    for what in RetainedKind:
        await prune(backend, what)

    assert (await backend.store.freshness(SAMPLES), await backend.everything()) == before
    assert len(before[1]) == 1


# ---------------------------------------------------------------- accounts


async def test_expired_sessions_are_removed_with_their_refresh_tokens(backend: Backend) -> None:
    for number, days in enumerate((1, 5)):
        now = backend.clock.now()
        session = Session(
            id=str(number), user="ann", created_at=now, expires_at=now + timedelta(days=days)
        )
        await backend.sessions.open(session, f"token {number}")
        await backend.sessions.rotate(f"token {number}", f"next {number}")

    removed = await prune(backend, RetainedKind.SESSIONS, backend.clock.now() + timedelta(days=2))

    assert removed == 1
    assert not await backend.sessions.is_open("0")
    for token in ("token 0", "next 0"):
        with pytest.raises(InvalidToken):
            await backend.sessions.rotate(token, "another")
    assert (await backend.sessions.rotate("next 1", "another")).id == "1"


async def test_api_tokens_are_removed_after_their_end_and_never_without_one(
    backend: Backend,
) -> None:
    now = backend.clock.now()
    for number, days in enumerate((1, 5, None)):
        end = None if days is None else now + timedelta(days=days)
        made = {"user": "ann", "name": "ci", "digest": f"d{number}", "created_at": now}
        await backend.api_tokens.add(ApiToken(id=str(number), expires_at=end, **made))

    removed = await prune(backend, RetainedKind.TOKENS, now + timedelta(days=2))

    assert removed == 1
    assert [token.id for token in await backend.api_tokens.of("ann")] == ["1", "2"]


async def test_guesses_made_long_ago_are_forgotten(backend: Backend) -> None:
    await backend.attempts.begin("ann", "here")
    await backend.attempts.succeed("ann", "here")
    backend.clock.advance(DAY)
    await backend.attempts.begin("bob", "there")

    removed = await prune(backend, RetainedKind.GUESSES, backend.clock.now())

    # The attempts from everywhere; the user has logged in from there.
    assert removed == 1
    backend.clock.advance(NETWORKS_KEPT + DAY)
    assert await prune(backend, RetainedKind.GUESSES, backend.clock.now()) == 3
    await backend.attempts.begin("bob", "there")


async def test_request_counts_of_clients_are_removed_when_they_are_full_again(
    backend: Backend,
) -> None:
    rate = Rate(2, 60.0)
    for client in ("ann", "bob"):
        await backend.client_limits.spend(client, rate)
        backend.clock.advance(DAY)

    removed = await prune(backend, RetainedKind.CLIENTS, backend.clock.now() - DAY)

    assert removed == 1
