"""Alerts: what is trouble, and what an operator is told of it, once each."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.alerts import (
    TAKEN,
    Alert,
    AlertEvent,
    AlertState,
    Incident,
    Kind,
    open_breaker,
    staleness,
)
from domain.checkpoints import Checkpoint, Freshness
from domain.jobs import JobStatus
from domain.politeness import BREAKER_MINIMUM, BREAKER_OPEN_S, Cadence, Host, Rate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
QUIET = AlertState.quiet(Kind.BREAKER, "posts", "api.example", NOW, "one")
TROUBLE = Incident("it keeps failing", NOW - MINUTE)
WELL = "it answers again"


def freshness(
    fetched_at: datetime | None = NOW, last: JobStatus | None = JobStatus.SUCCEEDED
) -> Freshness:
    """How a dataset stands whose only source answered then, if ever."""
    known = () if fetched_at is None else (_checkpoint(fetched_at),)
    return Freshness(1, known, last)


def _checkpoint(fetched_at: datetime) -> Checkpoint:
    return Checkpoint(source="one", fetched_at=fetched_at, job_id="a job")


# ---------------------------------------------------------------- what is told


def test_what_was_never_in_trouble_is_not_told() -> None:
    assert QUIET.seen(None, WELL) == QUIET
    assert not QUIET.is_waiting(NOW)


def test_trouble_is_told_as_it_was_seen() -> None:
    alarm = QUIET.seen(TROUBLE, WELL)

    assert alarm.is_waiting(NOW)
    assert alarm.alert(NOW + MINUTE) == Alert(
        event=AlertEvent.RAISED,
        kind=Kind.BREAKER,
        subject="api.example",
        dataset="posts",
        source="one",
        detail=TROUBLE.detail,
        since=TROUBLE.since,
        at=NOW + MINUTE,
    )


def test_trouble_that_was_told_is_not_told_again() -> None:
    alarm = QUIET.seen(TROUBLE, WELL).released(told=True)

    assert alarm.seen(Incident("it still fails", NOW), WELL) == alarm
    assert not alarm.is_waiting(NOW + MINUTE * 999)


def test_the_end_of_trouble_is_told_with_its_beginning() -> None:
    alarm = QUIET.seen(TROUBLE, WELL).released(told=True).seen(None, WELL)

    told = alarm.alert(NOW)

    assert alarm.is_waiting(NOW)
    assert (told.event, told.detail, told.since) == (AlertEvent.RECOVERED, WELL, TROUBLE.since)


def test_an_alert_about_a_whole_dataset_names_no_source() -> None:
    alarm = AlertState.quiet(Kind.STALE, "posts", "posts", NOW)

    assert alarm.alert(NOW).source is None
    assert alarm.key == (Kind.STALE, "posts", "")


def test_an_alert_is_plain_json() -> None:
    told = msgspec.json.decode(msgspec.json.encode(QUIET.seen(TROUBLE, WELL).alert(NOW)))

    assert told == {
        "event": "raised",
        "kind": "breaker",
        "subject": "api.example",
        "dataset": "posts",
        "source": "one",
        "detail": "it keeps failing",
        "since": "2025-12-31T23:59:00Z",
        "at": "2026-01-01T00:00:00Z",
    }


# ---------------------------------------------------------------- who tells it


def test_what_somebody_tells_is_left_to_them_for_a_while() -> None:
    taken = QUIET.seen(TROUBLE, WELL).claimed(NOW)

    assert not taken.is_waiting(NOW + TAKEN - MOMENT)
    assert taken.is_waiting(NOW + TAKEN)


def test_what_could_not_be_told_is_told_by_the_next() -> None:
    failed = QUIET.seen(TROUBLE, WELL).claimed(NOW).released(told=False)

    assert failed.is_waiting(NOW)
    assert failed == QUIET.seen(TROUBLE, WELL)


def test_trouble_that_is_over_before_it_was_told_is_told_with_its_end() -> None:
    untold = QUIET.seen(TROUBLE, WELL).claimed(NOW)

    over = untold.seen(None, WELL)
    after = over.released(told=True).seen(None, WELL)

    assert over == untold
    assert after.alert(NOW).event is AlertEvent.RECOVERED


def test_an_end_that_was_not_told_is_told_before_the_next_trouble() -> None:
    recovered = QUIET.seen(TROUBLE, WELL).released(told=True).seen(None, WELL)

    again = recovered.seen(Incident("once more", NOW), WELL)
    after = again.released(told=True).seen(Incident("once more", NOW), WELL)

    assert again == recovered
    assert (after.alert(NOW).event, after.since) == (AlertEvent.RAISED, NOW)


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_raised_and_recovered_are_told_in_turns_and_the_last_one_is_true(
    looks: list[tuple[bool, bool]],
) -> None:
    alarm, told = QUIET, []
    # In the end it goes well for a while, and telling succeeds.
    for in_trouble, succeeds in [*looks, (False, True), (False, True), (False, True)]:
        alarm = alarm.seen(TROUBLE if in_trouble else None, WELL)
        if alarm.is_waiting(NOW):
            if succeeds:
                told.append(alarm.alert(NOW).event)
            alarm = alarm.claimed(NOW).released(told=succeeds)

    assert told == [AlertEvent.RAISED, AlertEvent.RECOVERED] * (len(told) // 2)
    assert bool(told) == any(in_trouble for in_trouble, _ in looks)


# ---------------------------------------------------------------- stale datasets


def test_a_current_dataset_is_no_trouble() -> None:
    cadence = Cadence(every=MINUTE)

    assert staleness(cadence, freshness(), NOW, NOW + MINUTE * 2) is None


def test_a_stale_dataset_is_trouble_since_it_turned_stale() -> None:
    trouble = staleness(Cadence(every=MINUTE), freshness(), NOW, NOW + MINUTE * 3)

    assert trouble is not None
    assert trouble.since == NOW + MINUTE * 2
    assert "2026-01-01T00:00:00Z" in trouble.detail


def test_where_no_time_is_set_a_failure_is_trouble_from_the_moment_it_is_seen() -> None:
    failed = freshness(last=JobStatus.FAILED)

    assert staleness(Cadence(), freshness(), NOW, NOW + MINUTE * 9999) is None
    assert staleness(Cadence(), failed, NOW, NOW + MINUTE) == Incident(
        "not fetched since 2026-01-01T00:00:00Z, which is too long ago", NOW + MINUTE
    )


@pytest.mark.parametrize(
    ("cadence", "patience"),
    [
        (Cadence(every=MINUTE), MINUTE * 2),
        (Cadence(every=MINUTE, stale_after=MINUTE * 5), MINUTE * 5),
        (Cadence(stale_after=MINUTE * 5), MINUTE * 5),
    ],
)
def test_a_dataset_never_fetched_has_its_time_from_when_it_was_first_seen(
    cadence: Cadence, patience: timedelta
) -> None:
    never = freshness(None, None)

    early = staleness(cadence, never, NOW, NOW + patience)
    late = staleness(cadence, never, NOW, NOW + patience + MOMENT)

    assert early is None
    assert late is not None
    assert late.since == NOW + patience


@pytest.mark.parametrize("last", [None, *JobStatus])
def test_where_no_time_is_set_a_dataset_never_fetched_is_trouble_once_a_fetch_failed(
    last: JobStatus | None,
) -> None:
    trouble = staleness(Cadence(), freshness(None, last), NOW, NOW + MINUTE * 9999)

    assert (trouble is not None) is (last is JobStatus.FAILED)


# ---------------------------------------------------------------- breakers


def test_a_breaker_is_trouble_until_a_request_has_succeeded() -> None:
    host, seen = Host(), []
    for _ in range(BREAKER_MINIMUM):
        seen.append(open_breaker(host, NOW))
        host = host.record_outcome(False, NOW.timestamp())
    probing = NOW + timedelta(seconds=BREAKER_OPEN_S)
    spent, _, _ = host.spend(Rate(10, 1.0), probing.timestamp())
    healed = spent.record_outcome(True, probing.timestamp())

    assert seen == [None] * BREAKER_MINIMUM
    assert [open_breaker(host, at) is not None for at in (NOW, probing)] == [True, True]
    assert open_breaker(spent, probing) is not None
    assert open_breaker(healed, probing) is None
