"""Retention: what is old, and in which order it goes."""

from datetime import UTC, datetime, timedelta

from domain.retention import Keeping, Kept

NOW = datetime(2026, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


def test_what_is_older_than_its_kind_is_kept_is_removed() -> None:
    keeping = Keeping(ages={Kept.JOBS: DAY, Kept.PAYLOADS: 30 * DAY})

    assert keeping.ends(NOW) == [(Kept.PAYLOADS, NOW - 30 * DAY), (Kept.JOBS, NOW - DAY)]


def test_what_goes_first_may_have_needed_what_goes_later() -> None:
    keeping = Keeping(ages={kept: DAY for kept in reversed(Kept)})

    assert [kept for kept, _ in keeping.ends(NOW)] == [
        Kept.QUARANTINE,
        Kept.PAYLOADS,
        Kept.JOBS,
        Kept.KEYS,
        Kept.SESSIONS,
        Kept.GUESSES,
        Kept.CLIENTS,
    ]


def test_what_has_no_age_is_kept_for_ever() -> None:
    assert Keeping(ages={}).ends(NOW) == []
