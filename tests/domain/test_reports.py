"""Reports: what a fetch meant, and counts that add up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.checkpoints import Checkpoint, Freshness
from domain.errors import SourceBlocked, SourceUnavailable
from domain.reports import (
    Counts,
    Failure,
    FetchReport,
    Outcome,
    SourceReport,
    SourceStatus,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
number = st.integers(0, 10**9)
counts = st.builds(
    Counts,
    received=number,
    inserted=number,
    updated=number,
    unchanged=number,
    duplicates=number,
    deleted=number,
    quarantined=number,
)
BROKEN = Failure("source_unavailable", "no answer")


def source(status: str, **changed: int) -> SourceReport:
    """How the fetch from one source ended."""
    error = BROKEN if status == "failed" else None
    return SourceReport(
        source=status, status=SourceStatus(status), error=error, counts=Counts(**changed)
    )


@given(st.lists(counts))
def test_counts_add_up_field_by_field(some: list[Counts]) -> None:
    total = sum(some, Counts())

    for name in Counts.__struct_fields__:
        assert getattr(total, name) == sum(getattr(one, name) for one in some)


@pytest.mark.parametrize(
    ("one", "changed"),
    [
        (Counts(), False),
        (Counts(received=9, unchanged=3, duplicates=3, quarantined=3), False),
        (Counts(inserted=1), True),
        (Counts(updated=1), True),
        (Counts(deleted=1), True),
    ],
)
def test_counts_tell_whether_anything_changed(one: Counts, changed: bool) -> None:
    assert one.changed is changed


@pytest.mark.parametrize(
    ("sources", "outcome"),
    [
        ([], Outcome.UNCHANGED),
        ([source("succeeded")], Outcome.UNCHANGED),
        ([source("succeeded", unchanged=1)], Outcome.UNCHANGED),
        ([source("succeeded"), source("succeeded", inserted=1)], Outcome.CHANGED),
        ([source("partial", inserted=1)], Outcome.PARTIAL),
        ([source("succeeded"), source("failed")], Outcome.PARTIAL),
        ([source("partial"), source("failed")], Outcome.PARTIAL),
        ([source("failed")], Outcome.FAILED),
        ([source("failed"), source("failed")], Outcome.FAILED),
    ],
)
def test_a_report_tells_what_the_fetch_meant(sources: list[SourceReport], outcome: Outcome) -> None:
    assert FetchReport(sources=tuple(sources)).outcome is outcome


def test_a_report_adds_up_its_sources_and_lists_their_failures() -> None:
    report = FetchReport(
        sources=(
            source("succeeded", received=2, inserted=2),
            source("failed"),
            source("partial", received=3, updated=1, quarantined=2),
        )
    )

    assert report.counts == Counts(received=5, inserted=2, updated=1, quarantined=2)
    assert report.failures == [BROKEN]


def test_freshness_is_that_of_the_source_that_answered_last() -> None:
    one = Checkpoint(source="one", fetched_at=NOW, job_id="1")
    two = Checkpoint(source="two", fetched_at=NOW + timedelta(seconds=1), job_id="2")
    freshness = Freshness(1, (one, two))

    assert freshness.fetched_at == two.fetched_at
    assert (freshness.of("one"), freshness.of("three")) == (one, None)
    assert Freshness().fetched_at is None


def test_a_source_error_says_when_asking_again_may_help() -> None:
    blocked = SourceBlocked("too many requests", retry_at=NOW)
    special = SourceUnavailable("the breaker is open", code="breaker_open")

    assert (blocked.code, blocked.detail, blocked.retry_at) == (
        "source_blocked",
        "too many requests",
        NOW,
    )
    assert (special.code, special.retry_at) == ("breaker_open", None)
    assert SourceUnavailable("no answer").code == "source_unavailable"
