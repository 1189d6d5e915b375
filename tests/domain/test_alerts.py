"""Alerts: incidents, and one message for each begin and end."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.alerts import (
    CLAIM_TIMEOUT,
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
MICROSECOND, MINUTE = timedelta(microseconds=1), timedelta(minutes=1)
QUIET = AlertState.quiet(Kind.BREAKER, "posts", "api.example", NOW, "one")
INCIDENT = Incident("it keeps failing", NOW - MINUTE)
WELL = "it answers again"


def freshness(
    fetched_at: datetime | None = NOW, last: JobStatus | None = JobStatus.SUCCEEDED
) -> Freshness:
    """Return how a dataset stands whose only source answered then, if ever."""
    known = () if fetched_at is None else (_checkpoint(fetched_at),)
    return Freshness(1, known, last)


def _checkpoint(fetched_at: datetime) -> Checkpoint:
    return Checkpoint(source="one", fetched_at=fetched_at, job_id="a job")


# ---------------------------------------------------------------- messages


def test_a_subject_is_never_watched_since_a_time_to_come() -> None:
    assert QUIET.bounded(NOW) is QUIET
    set_back = QUIET.bounded(NOW - MINUTE)
    assert (set_back.watched_since, set_back.since) == (NOW - MINUTE, QUIET.since)


def test_a_subject_without_an_incident_has_no_message() -> None:
    assert QUIET.seen(None, WELL) == QUIET
    assert not QUIET.is_waiting(NOW)


def test_an_incident_is_reported_as_observed() -> None:
    state = QUIET.seen(INCIDENT, WELL)

    assert state.is_waiting(NOW)
    assert state.alert(NOW + MINUTE) == Alert(
        event=AlertEvent.RAISED,
        kind=Kind.BREAKER,
        subject="api.example",
        dataset="posts",
        source="one",
        detail=INCIDENT.detail,
        since=INCIDENT.since,
        at=NOW + MINUTE,
    )


def test_a_reported_incident_is_not_reported_again() -> None:
    state = QUIET.seen(INCIDENT, WELL).released(delivered=True)

    assert state.seen(Incident("it still fails", NOW), WELL) == state
    assert not state.is_waiting(NOW + MINUTE * 999)


def test_the_end_of_an_incident_is_reported_with_its_begin() -> None:
    state = QUIET.seen(INCIDENT, WELL).released(delivered=True).seen(None, WELL)

    sent = state.alert(NOW)

    assert state.is_waiting(NOW)
    assert (sent.event, sent.detail, sent.since) == (AlertEvent.RECOVERED, WELL, INCIDENT.since)


def test_an_alert_about_a_whole_dataset_names_no_source() -> None:
    state = AlertState.quiet(Kind.STALE, "posts", "posts", NOW)

    assert state.alert(NOW).source is None
    assert state.key == (Kind.STALE, "posts", "")


def test_an_alert_is_plain_json() -> None:
    sent = msgspec.json.decode(msgspec.json.encode(QUIET.seen(INCIDENT, WELL).alert(NOW)))

    assert sent == {
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


def test_a_claimed_message_is_left_to_its_process_for_a_while() -> None:
    taken = QUIET.seen(INCIDENT, WELL).claimed(NOW)

    assert not taken.is_waiting(NOW + CLAIM_TIMEOUT - MICROSECOND)
    assert taken.is_waiting(NOW + CLAIM_TIMEOUT)


def test_a_claim_by_a_clock_that_is_a_little_ahead_holds() -> None:
    claimed = QUIET.seen(INCIDENT, WELL).claimed(NOW)
    assert not claimed.is_waiting(NOW - MINUTE)
    assert claimed.is_waiting(NOW - CLAIM_TIMEOUT - MICROSECOND)


def test_an_undelivered_message_is_sent_by_the_next_process() -> None:
    failed = QUIET.seen(INCIDENT, WELL).claimed(NOW).released(delivered=False)

    assert failed.is_waiting(NOW)
    assert failed == QUIET.seen(INCIDENT, WELL)


def test_an_incident_that_ends_before_its_report_is_reported_with_its_end() -> None:
    untold = QUIET.seen(INCIDENT, WELL).claimed(NOW)

    over = untold.seen(None, WELL)
    after = over.released(delivered=True).seen(None, WELL)

    assert over == untold
    assert after.alert(NOW).event is AlertEvent.RECOVERED


def test_an_unreported_end_is_reported_before_the_next_incident() -> None:
    recovered = QUIET.seen(INCIDENT, WELL).released(delivered=True).seen(None, WELL)

    again = recovered.seen(Incident("once more", NOW), WELL)
    after = again.released(delivered=True).seen(Incident("once more", NOW), WELL)

    assert again == recovered
    assert (after.alert(NOW).event, after.since) == (AlertEvent.RAISED, NOW)


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_raised_and_recovered_alternate_and_the_last_is_true(
    looks: list[tuple[bool, bool]],
) -> None:
    state, sent = QUIET, []
    # In the end it goes well for a while, and telling succeeds.
    for in_trouble, succeeds in [*looks, (False, True), (False, True), (False, True)]:
        state = state.seen(INCIDENT if in_trouble else None, WELL)
        if state.is_waiting(NOW):
            if succeeds:
                sent.append(state.alert(NOW).event)
            state = state.claimed(NOW).released(delivered=succeeds)

    assert sent == [AlertEvent.RAISED, AlertEvent.RECOVERED] * (len(sent) // 2)
    assert bool(sent) == any(in_trouble for in_trouble, _ in looks)


# ---------------------------------------------------------------- stale datasets


def test_a_current_dataset_is_no_incident() -> None:
    cadence = Cadence(every=MINUTE)

    assert staleness(cadence, freshness(), NOW, NOW + MINUTE * 2) is None


def test_a_stale_dataset_is_an_incident_since_it_became_stale() -> None:
    incident = staleness(Cadence(every=MINUTE), freshness(), NOW, NOW + MINUTE * 3)

    assert incident is not None
    assert incident.since == NOW + MINUTE * 2
    assert "2026-01-01T00:00:00Z" in incident.detail


def test_without_a_limit_a_failure_is_an_incident_from_its_first_check() -> None:
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
def test_for_a_dataset_never_fetched_the_time_counts_from_its_first_check(
    cadence: Cadence, patience: timedelta
) -> None:
    never = freshness(None, None)

    early = staleness(cadence, never, NOW, NOW + patience)
    late = staleness(cadence, never, NOW, NOW + patience + MICROSECOND)

    assert early is None
    assert late is not None
    assert late.since == NOW + patience


@pytest.mark.parametrize("last", [None, *JobStatus])
def test_without_a_limit_a_dataset_never_fetched_is_an_incident_after_a_failure(
    last: JobStatus | None,
) -> None:
    incident = staleness(Cadence(), freshness(None, last), NOW, NOW + MINUTE * 9999)

    assert (incident is not None) is (last is JobStatus.FAILED)


# ---------------------------------------------------------------- breakers


def test_a_breaker_is_an_incident_until_a_request_succeeds() -> None:
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
