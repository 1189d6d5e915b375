"""Retention: expiry, and the order of removal."""

from datetime import UTC, datetime, timedelta

from domain.retention import RetainedKind, RetentionPolicy

NOW = datetime(2026, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


def test_rows_older_than_the_age_of_their_kind_are_removed() -> None:
    keeping = RetentionPolicy(ages={RetainedKind.JOBS: DAY, RetainedKind.PAYLOADS: 30 * DAY})

    assert keeping.ends(NOW) == [
        (RetainedKind.PAYLOADS, NOW - 30 * DAY),
        (RetainedKind.JOBS, NOW - DAY),
    ]


def test_rows_that_refer_to_others_are_removed_first() -> None:
    keeping = RetentionPolicy(ages={kept: DAY for kept in reversed(RetainedKind)})

    assert [kept for kept, _ in keeping.ends(NOW)] == [
        RetainedKind.QUARANTINE,
        RetainedKind.PAYLOADS,
        RetainedKind.JOBS,
        RetainedKind.KEYS,
        RetainedKind.SESSIONS,
        RetainedKind.TOKENS,
        RetainedKind.GUESSES,
        RetainedKind.CLIENTS,
    ]


def test_a_kind_without_an_age_is_kept_for_ever() -> None:
    assert RetentionPolicy(ages={}).ends(NOW) == []
