"""Contract of every store of times: a clock that is set back, or ahead and back, stops nothing."""

from datetime import timedelta

import msgspec
import pytest

from domain.builtin.posts import POSTS
from domain.errors import InvalidToken, TooManyRequests
from domain.jobs import AHEAD, LOST, FetchJob, JobStatus
from domain.politeness import Admission, Breaker, Rate
from domain.repositories import KnownRepository, LookupResult
from domain.schedules import Schedule
from domain.sessions import GRACE, Session
from domain.throttling import FREE_GUESSES, LONGEST_LOCK
from tests.contract.backends import Backend
from tests.strategies import SAMPLES

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
HOST = "strict.example"

backs = pytest.mark.parametrize("back", [HOUR, 2 * DAY], ids=["an_hour", "two_days"])


# ---------------------------------------------------------------- jobs


@backs
async def test_the_job_of_a_dead_worker_is_taken_over(backend: Backend, back: timedelta) -> None:
    job = await backend.claimed()

    backend.clock.set(-back)

    assert await backend.history.overdue(5) == [job.id]
    taken = await backend.jobs.claim(job.id)
    assert taken is not None
    assert taken.fence == job.fence + 1


async def test_a_worker_that_lives_keeps_its_job(backend: Backend) -> None:
    job = await backend.claimed()
    backend.clock.set(-HOUR)

    await backend.jobs.renew(job)

    assert await backend.history.overdue(5) == []
    assert await backend.jobs.claim(job.id) is None


async def test_a_lease_is_not_lost_by_clocks_that_differ_a_little(backend: Backend) -> None:
    job = await backend.claimed()

    backend.clock.set(-AHEAD / 2)

    assert await backend.jobs.claim(job.id) is None


@backs
async def test_a_job_whose_announcement_was_lost_is_found(
    backend: Backend, back: timedelta
) -> None:
    job = await backend.jobs.request(backend.queued())

    backend.clock.set(-back)

    assert await backend.history.overdue(5) == [job.id]


@backs
async def test_a_deferred_job_does_not_wait_for_the_clock_to_catch_up(
    backend: Backend, back: timedelta
) -> None:
    job = await backend.claimed()
    await backend.jobs.release(job.deferred(backend.clock.now() + timedelta(minutes=1)))

    backend.clock.set(-back)

    assert await backend.history.overdue(5) == [job.id]
    assert await backend.jobs.claim(job.id) is not None


@backs
async def test_the_status_of_a_dataset_is_that_of_the_job_that_ended_last(
    backend: Backend, back: timedelta
) -> None:
    failed = await backend.end(await backend.claimed(POSTS), JobStatus.FAILED)
    backend.clock.set(-back)

    ended = await backend.end(await backend.claimed(POSTS))

    freshness = await backend.store.freshness(POSTS)
    assert freshness.last_status is JobStatus.SUCCEEDED
    assert await backend.history.get(ended.id) == ended
    misdated = await backend.history.get(failed.id)
    assert misdated is not None
    assert misdated.finished_at == ended.finished_at - timedelta(microseconds=1)


async def test_a_job_called_off_ends_last_as_well(backend: Backend) -> None:
    await backend.end(await backend.claimed(POSTS), JobStatus.FAILED)
    backend.clock.set(-HOUR)

    job = await backend.claimed(POSTS)
    await backend.jobs.cancel(job.id)

    freshness = await backend.store.freshness(POSTS)
    assert freshness.last_status is JobStatus.CANCELLED


async def test_the_ends_of_other_datasets_and_clocks_that_differ_a_little_stay(
    backend: Backend,
) -> None:
    other = await backend.end(await backend.claimed(SAMPLES))
    backend.clock.set(-HOUR)
    first = await backend.end(await backend.claimed(POSTS))
    backend.clock.set(-10 * SECOND)

    await backend.end(await backend.claimed(POSTS))

    assert await backend.history.get(other.id) == other
    assert await backend.history.get(first.id) == first


async def test_a_request_that_was_cut_off_is_begun_again(backend: Backend) -> None:
    await backend.idempotency.begin("key", "request", "job")

    backend.clock.set(-HOUR)

    begun = await backend.idempotency.begin("key", "request", "another job")
    assert (begun.job_id, begun.answer) == ("job", None)


# ---------------------------------------------------------------- schedules


@backs
async def test_a_schedule_fires_a_period_later_at_the_latest(
    backend: Backend, back: timedelta
) -> None:
    await backend.schedules.declare({"posts": timedelta(minutes=10)})
    backend.clock.set(-back)

    now, [standing] = await backend.schedules.current()
    bounded = standing.bounded(now)

    assert bounded.next_run_at <= now + timedelta(minutes=11)
    assert (standing.tick_at - bounded.tick_at) % standing.every == timedelta(0)
    assert await backend.schedules.move(standing, bounded)
    assert (await backend.schedules.current())[1] == [bounded]


async def test_when_a_schedule_was_moved_is_kept(backend: Backend) -> None:
    await backend.schedules.declare({"posts": HOUR})
    _, [standing] = await backend.schedules.current()
    assert standing.moved_at == backend.clock.now()

    backend.clock.advance(HOUR)
    following = standing.fired(backend.clock.now(), 0.5)
    job = FetchJob(id="1" * 32, dataset="posts", queued_at=backend.clock.now())
    await backend.schedules.fire(standing, following, job)

    found: list[Schedule] = (await backend.schedules.current())[1]
    assert found == [following]
    assert following.moved_at == backend.clock.now()


# ---------------------------------------------------------------- politeness


@backs
async def test_a_host_is_left_alone_no_longer_than_it_asked_for(
    backend: Backend, back: timedelta
) -> None:
    await backend.budget.spend(HOST)
    await backend.budget.block(HOST, backend.clock.now() + timedelta(minutes=10))

    backend.clock.set(-back)

    verdict, again_at = await backend.budget.spend(HOST)
    assert verdict is Admission.BLOCKED
    assert again_at - backend.clock.now() == pytest.approx(timedelta(minutes=10), abs=SECOND)
    backend.clock.advance(timedelta(minutes=10))
    assert (await backend.budget.spend(HOST))[0] is Admission.GO


@backs
async def test_a_breaker_lets_its_probe_through_in_time(backend: Backend, back: timedelta) -> None:
    for _ in range(5):
        await backend.budget.record_outcome(HOST, ok=False)
    opened = await backend.budget.state(HOST)

    backend.clock.set(-back)
    backend.clock.advance(opened.open_for_s)

    now_s = backend.clock.now().timestamp()
    assert (await backend.budget.state(HOST)).breaker(now_s - 1) is Breaker.OPEN
    await backend.budget.block(HOST, backend.clock.now())
    backend.clock.advance(opened.open_for_s)
    assert (await backend.budget.spend(HOST))[0] is Admission.GO


# ---------------------------------------------------------------- accounts


@backs
async def test_a_used_refresh_token_stays_used(backend: Backend, back: timedelta) -> None:
    await _logged_in(backend)
    await backend.sessions.rotate("first", "second")

    backend.clock.set(-back)

    with pytest.raises(InvalidToken):
        await backend.sessions.rotate("first", "second")
    assert not await backend.sessions.is_open("session")


async def test_a_used_refresh_token_is_not_good_again_when_the_clock_has_caught_up(
    backend: Backend,
) -> None:
    await _logged_in(backend)
    await backend.sessions.rotate("first", "second")
    backend.clock.set(-HOUR)
    await backend.sessions.rotate("second", "third")

    backend.clock.advance(HOUR)

    with pytest.raises(InvalidToken):
        await backend.sessions.rotate("first", "second")


@backs
async def test_a_session_goes_on(backend: Backend, back: timedelta) -> None:
    await _logged_in(backend)

    backend.clock.set(-back)

    assert await backend.sessions.is_open("session")
    await backend.sessions.rotate("first", "second")
    backend.clock.advance(GRACE)
    await backend.sessions.rotate("first", "second")


@backs
async def test_a_client_is_not_shut_out(backend: Backend, back: timedelta) -> None:
    rate = Rate(5, 10.0)
    for _ in range(6):
        await backend.client_limits.spend("ann", rate)

    backend.clock.set(-back)

    spent = [(await backend.client_limits.spend("ann", rate)).allowed for _ in range(6)]
    assert spent == [True] * 5 + [False]


@backs
async def test_the_owner_of_a_locked_account_is_not_shut_out(
    backend: Backend, back: timedelta
) -> None:
    for _ in range(FREE_GUESSES + 8):
        await _guess(backend)
        backend.clock.advance(LONGEST_LOCK)
    await _guess(backend)

    backend.clock.set(-back)

    await backend.attempts.begin("ann", "here")
    with pytest.raises(TooManyRequests) as locked:
        await backend.attempts.begin("ann", "here")
    assert locked.value.wait_s <= LONGEST_LOCK.total_seconds()


# ---------------------------------------------------------------- tasks


async def test_a_repository_looked_at_later_than_now_is_due(backend: Backend) -> None:
    now = backend.clock.now()
    known = KnownRepository(name="a/b", result=LookupResult(None), since=now, checked_at=now)
    await backend.known_repositories.keep(known)
    await backend.known_repositories.keep(
        msgspec.structs.replace(known, name="c/d", checked_at=now - HOUR)
    )

    backend.clock.set(-LOST)

    now = backend.clock.now()
    assert await backend.known_repositories.due(now - DAY, now) == ["a/b"]


async def _logged_in(backend: Backend) -> None:
    now = backend.clock.now()
    session = Session(id="session", user="ann", created_at=now, expires_at=now + 30 * DAY)
    await backend.sessions.open(session, "first")


async def _guess(backend: Backend) -> None:
    await backend.attempts.begin("ann", "here")
