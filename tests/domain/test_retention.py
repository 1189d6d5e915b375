"""Retention: what is old, and in which order it goes."""

from datetime import UTC, datetime, timedelta

from domain.retention import RetainedKind, RetentionPolicy

NOW = datetime(2026, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


def test_what_is_older_than_its_kind_is_kept_is_removed() -> None:
    keeping = RetentionPolicy(ages={RetainedKind.JOBS: DAY, RetainedKind.PAYLOADS: 30 * DAY})

    assert keeping.ends(NOW) == [
        (RetainedKind.PAYLOADS, NOW - 30 * DAY),
        (RetainedKind.JOBS, NOW - DAY),
    ]


def test_what_goes_first_may_have_needed_what_goes_later() -> None:
    keeping = RetentionPolicy(ages={kept: DAY for kept in reversed(RetainedKind)})

    assert [kept for kept, _ in keeping.ends(NOW)] == [
        RetainedKind.QUARANTINE,
        RetainedKind.PAYLOADS,
        RetainedKind.JOBS,
        RetainedKind.KEYS,
        RetainedKind.SESSIONS,
        RetainedKind.GUESSES,
        RetainedKind.CLIENTS,
    ]


def test_what_has_no_age_is_kept_for_ever() -> None:
    assert RetentionPolicy(ages={}).ends(NOW) == []
