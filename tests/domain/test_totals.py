"""Totals: the sums of all runs of a source."""

from datetime import UTC, datetime, timedelta

from domain.reports import Counts, Failure, SourceReport, SourceStatus
from domain.totals import SourceTotals

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTHING = SourceTotals(dataset="posts", source="one")


def report(status: SourceStatus = SourceStatus.SUCCEEDED, **counts: int) -> SourceReport:
    """Return what one run did."""
    error = Failure("held", "too bad") if status is SourceStatus.FAILED else None
    return SourceReport(source="one", status=status, error=error, counts=Counts(**counts))


def test_counts_add_up() -> None:
    totals = NOTHING.after(report(received=2, inserted=2), NOW)
    totals = totals.after(report(received=3, updated=1, unchanged=2), NOW + MINUTE)

    assert totals == SourceTotals(
        dataset="posts",
        source="one",
        runs=2,
        last_run_at=NOW + MINUTE,
        last_status=SourceStatus.SUCCEEDED,
        last_success_at=NOW + MINUTE,
        counts=Counts(received=5, inserted=2, updated=1, unchanged=2),
    )


def test_a_failure_leaves_the_last_success_and_is_forgotten_by_the_next() -> None:
    failed = NOTHING.after(report(), NOW).after(report(SourceStatus.FAILED), NOW + MINUTE)
    healed = failed.after(report(SourceStatus.PARTIAL), NOW + MINUTE * 2)

    assert (failed.last_run_at, failed.last_success_at) == (NOW + MINUTE, NOW)
    assert failed.last_error == Failure("held", "too bad")
    assert (healed.last_success_at, healed.last_error) == (NOW + MINUTE * 2, None)


def test_a_source_that_only_ever_failed_has_no_success() -> None:
    assert NOTHING.after(report(SourceStatus.FAILED), NOW).last_success_at is None
