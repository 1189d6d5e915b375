"""Reports: outcomes, and counts that add up."""

from datetime import UTC, datetime, timedelta

import msgspec
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
    held=number,
)
BROKEN = Failure("source_unavailable", "no answer")


def source(status: str, **changed: int) -> SourceReport:
    """Return how the fetch from one source ended."""
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
def test_counts_show_whether_anything_changed(one: Counts, changed: bool) -> None:
    assert one.changed is changed


def test_what_comes_again_changes_nothing() -> None:
    counts = Counts(
        received=11, inserted=1, updated=2, unchanged=3, duplicates=4, deleted=5, quarantined=1
    )

    assert counts.repeated == Counts(received=11, unchanged=6, duplicates=4, quarantined=1)


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
def test_a_report_has_the_outcome_of_the_fetch(
    sources: list[SourceReport], outcome: Outcome
) -> None:
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


# ---------------------------------------------------------------- when asking again makes sense

SOON, LATER = NOW + timedelta(minutes=1), NOW + timedelta(hours=1)
times = st.none() | st.sampled_from([NOW, SOON, LATER])


def failed(retry_at: datetime | None, requests: int = 0) -> SourceReport:
    """Return a source that gave nothing, after so many requests."""
    return SourceReport(
        source="failed",
        status=SourceStatus.FAILED,
        requests=requests,
        error=Failure("source_blocked", "later", retry_at),
    )


def answered(fresh_until: datetime | None, requests: int = 1) -> SourceReport:
    """Return a source that answered."""
    return SourceReport(
        source="answered",
        status=SourceStatus.SUCCEEDED,
        requests=requests,
        fresh_until=fresh_until,
    )


def stopped(retry_at: datetime | None, requests: int = 1) -> SourceReport:
    """Return a source that did some of its work, and could not do the rest."""
    return msgspec.structs.replace(failed(retry_at, requests), status=SourceStatus.PARTIAL)


some_sources = st.lists(
    st.builds(failed, times, st.integers(0, 1))
    | st.builds(answered, times)
    | st.builds(stopped, times),
    max_size=4,
)


@pytest.mark.parametrize(
    ("one", "not_before"),
    [
        (answered(None), None),
        (answered(SOON), SOON),
        (failed(None), None),
        (failed(LATER), LATER),
        (msgspec.structs.replace(failed(None), fresh_until=SOON), None),
        (msgspec.structs.replace(failed(LATER), fresh_until=SOON), LATER),
    ],
)
def test_a_source_names_its_next_time_by_a_response_or_by_a_refusal(
    one: SourceReport, not_before: datetime | None
) -> None:
    assert one.not_before == not_before


@pytest.mark.parametrize(
    ("sources", "not_before"),
    [
        ([], None),
        ([answered(SOON)], SOON),
        ([answered(LATER), answered(SOON)], SOON),
        ([answered(SOON), answered(None)], None),
        ([failed(LATER), answered(SOON)], SOON),
        ([failed(LATER), answered(None)], None),
        ([failed(LATER), failed(SOON, requests=3)], SOON),
    ],
)
def test_the_next_fetch_is_useful_when_the_first_source_is_if_all_named_a_time(
    sources: list[SourceReport], not_before: datetime | None
) -> None:
    assert FetchReport(sources=tuple(sources)).not_before == not_before


@pytest.mark.parametrize(
    ("sources", "until"),
    [
        ([], None),
        ([failed(SOON)], SOON),
        ([failed(LATER), failed(SOON)], SOON),
        ([failed(LATER), failed(None)], None),
        ([failed(LATER), failed(SOON, requests=1)], None),
        ([failed(LATER), answered(SOON)], None),
        ([failed(LATER), answered(SOON, requests=0)], None),
        ([answered(SOON)], None),
        ([stopped(SOON)], SOON),
        ([stopped(None)], None),
        ([stopped(LATER), failed(SOON)], SOON),
        ([stopped(LATER), failed(SOON, requests=1)], None),
        ([stopped(LATER), answered(SOON)], None),
    ],
)
def test_a_fetch_waits_if_no_source_can_be_fetched_or_continued(
    sources: list[SourceReport], until: datetime | None
) -> None:
    assert FetchReport(sources=tuple(sources)).waits_until == until


@given(some_sources)
def test_a_fetch_waits_until_the_next_useful_time(
    sources: list[SourceReport],
) -> None:
    report = FetchReport(sources=tuple(sources))

    assert report.waits_until in (None, report.not_before)
    if report.waits_until is not None:
        assert all(source.error for source in report.sources)


# ---------------------------------------------------------------- freshness and errors


def test_freshness_is_that_of_the_source_that_answered_last() -> None:
    one = Checkpoint(source="one", fetched_at=NOW, job_id="1")
    two = Checkpoint(source="two", fetched_at=NOW + timedelta(seconds=1), job_id="2")
    freshness = Freshness(1, (one, two))

    assert freshness.fetched_at == two.fetched_at
    assert (freshness.of("one"), freshness.of("three")) == (one, None)
    assert Freshness().fetched_at is None


def test_a_source_error_has_the_time_of_a_useful_retry() -> None:
    blocked = SourceBlocked("too many requests", retry_at=NOW)
    special = SourceUnavailable("the breaker is open", code="breaker_open")

    assert (blocked.code, blocked.detail, blocked.retry_at) == (
        "source_blocked",
        "too many requests",
        NOW,
    )
    assert (special.code, special.retry_at) == ("breaker_open", None)
    assert SourceUnavailable("no answer").code == "source_unavailable"
