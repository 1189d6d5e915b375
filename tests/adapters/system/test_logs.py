"""Logs: each event is one line, of the level it deserves, or none."""

import logging
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from adapters.system.events import EventDispatcher
from adapters.system.logs import Logs
from domain import events
from domain.alerts import Alert, AlertEvent, Kind
from domain.errors import StoreUnavailable
from domain.jobs import FetchJob, JobStatus, Mode
from domain.reports import Counts, Failure, FetchReport, SourceReport, SourceStatus
from domain.retention import RetainedKind

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GONE = StoreUnavailable("the database is gone")
BROKEN = ZeroDivisionError()
DONE = SourceReport(
    source="one", status=SourceStatus.SUCCEEDED, counts=Counts(received=2, inserted=2)
)
FAILED = SourceReport(source="one", status=SourceStatus.FAILED, error=Failure("x", "it is away"))
FAILED_TEXT = "fetch failed; what is stored stays, and `catchment demo` needs no upstream"
FATES = {"kind": "breaker", "subject": "api.example", "source": "one"}
REQUEST = {"request_id": "8", "method": "POST", "path": "/fetch", "status": 200, "duration_ms": 1.5}


def alert(event: AlertEvent = AlertEvent.RAISED) -> Alert:
    """One alert."""
    return Alert(
        event=event,
        kind=Kind.BREAKER,
        subject="api.example",
        dataset="posts",
        source="one",
        detail="it keeps failing",
        since=NOW,
        at=NOW,
    )


def job(*reports: SourceReport, mode: Mode = Mode.TASK, **more: Any) -> FetchJob:
    """A job that has ended, with these reports."""
    report = FetchReport(sources=reports) if reports else None
    return FetchJob(id="7", dataset="posts", mode=mode, queued_at=NOW, report=report, **more)


def line(event: str, level: str, **fields: Any) -> dict[str, Any]:
    """What is logged."""
    return {"event": event, "log_level": level, **fields}


LINES: list[tuple[events.Event, dict[str, Any] | None]] = [
    (
        events.RequestServed(route="/fetch", **REQUEST),
        line("request", "info", **REQUEST),
    ),
    (
        events.ReadServed(route="/data", job="7", **REQUEST),
        line("request", "debug", job="7", **REQUEST),
    ),
    (
        events.RequestFailed(path="/data", error=BROKEN),
        line("request failed", "error", path="/data", exc_info=BROKEN),
    ),
    (
        events.JobEnded(job=job(DONE)),
        line(
            "fetched", "info", dataset="posts", job="7", outcome="changed", received=2, inserted=2
        ),
    ),
    (
        events.JobEnded(job=job(SourceReport(source="one", status=SourceStatus.SUCCEEDED))),
        line("fetched", "info", dataset="posts", job="7", outcome="unchanged"),
    ),
    (
        events.JobEnded(job=job(DONE, mode=Mode.REPLAY)),
        line(
            "reprocessed",
            "info",
            dataset="posts",
            job="7",
            outcome="changed",
            received=2,
            inserted=2,
        ),
    ),
    (
        events.JobEnded(job=job(FAILED)),
        line(FAILED_TEXT, "warning", dataset="posts", job="7", reason="it is away"),
    ),
    (
        events.JobEnded(job=job(status=JobStatus.CANCELLED)),
        line("job cancelled", "info", dataset="posts", job="7", status="cancelled"),
    ),
    (events.JobEnded(job=job(FAILED), waited_for=True), None),
    (
        events.JobDeferred(job=job(run_at=NOW)),
        line(
            "fetch waits for its source", "info", dataset="posts", job="7", run_at=NOW.isoformat()
        ),
    ),
    (events.JobDeferred(job=job(run_at=NOW), waited_for=True), None),
    (
        events.JobInterrupted(job="7", dataset="posts", error=BROKEN),
        line("fetch interrupted", "error", dataset="posts", job="7", exc_info=BROKEN),
    ),
    (
        events.JobInterrupted(job="7", dataset=None, error=GONE),
        line("fetch could not run", "error", dataset="?", job="7", reason=GONE.detail),
    ),
    (
        events.SweepFailed(error=GONE),
        line("fetch could not run", "error", dataset="*", reason=GONE.detail),
    ),
    (
        events.ScheduleFailed(dataset="posts", error=GONE),
        line("fetch could not run", "error", dataset="posts", reason=GONE.detail),
    ),
    (
        events.ScheduleFailed(error=BROKEN),
        line("fetch interrupted", "error", dataset="*", exc_info=BROKEN),
    ),
    (
        events.AnnouncementFailed(job="7", error=BROKEN),
        line("an announced job could not be handled", "error", job="7", exc_info=BROKEN),
    ),
    (
        events.AnnouncementDropped(job="7", tries=5),
        line("an announcement is given up", "error", job="7", tries=5),
    ),
    (
        events.AnnouncementDropped(job="7", tries=5, kept_in="dead"),
        line("an announcement is given up", "error", job="7", kept_in="dead"),
    ),
    (
        events.AnnouncementDropped(job=None, tries=5, kept_in="dead"),
        line("an announcement names no job", "error", kept_in="dead"),
    ),
    (
        events.BrokerLost(reason="it is away"),
        line("connection to the broker lost; reconnecting", "warning", reason="it is away"),
    ),
    (events.BrokerFound(), line("connection to the broker restored", "info")),
    (
        events.AlertSent(alert=alert()),
        line("alert sent", "warning", detail="it keeps failing", **FATES),
    ),
    (
        events.AlertSent(alert=alert(AlertEvent.RECOVERED)),
        line("recovery sent", "info", detail="it keeps failing", **FATES),
    ),
    (
        events.AlertFailed(alert=alert(), error=GONE),
        line(
            "alert could not be sent; it is tried again",
            "error",
            event_="raised",
            reason=GONE.detail,
            **FATES,
        ),
    ),
    (
        events.WatchFailed(error=GONE),
        line("alerts could not be checked", "error", reason=GONE.detail),
    ),
    (
        events.WatchFailed(error=BROKEN),
        line("alerts could not be checked", "error", exc_info=BROKEN),
    ),
    (events.Pruned(removed={RetainedKind.JOBS: 0, RetainedKind.PAYLOADS: 0}), None),
    (
        events.Pruned(removed={RetainedKind.JOBS: 3, RetainedKind.PAYLOADS: 0}),
        line("pruned", "info", jobs=3),
    ),
    (
        events.PruneFailed(error=GONE),
        line("expired rows could not be removed", "error", reason=GONE.detail),
    ),
    (
        events.PruneFailed(error=BROKEN),
        line("expired rows could not be removed", "error", exc_info=BROKEN),
    ),
    (
        events.AdminRoleMissing(username="ann"),
        line(
            "the account that CATCHMENT_ADMIN_USERNAME names is not an admin",
            "warning",
            username="ann",
        ),
    ),
]


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """Everything that is logged meanwhile."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.mark.parametrize(("event", "expected"), LINES, ids=lambda value: type(value).__name__)
def test_an_event_is_this_line(
    logged: list[MutableMapping[str, Any]], event: events.Event, expected: dict[str, Any] | None
) -> None:
    EventDispatcher(Logs()).publish(event)

    assert logged == ([] if expected is None else [expected])


def test_every_kind_of_event_is_logged() -> None:
    kinds = {found for found in vars(events).values() if isinstance(found, type)}
    kinds = {kind for kind in kinds if issubclass(kind, events.Event)} - {events.Event}
    kinds = {kind for kind in kinds if not issubclass(kind, events.Measurement)}
    kinds = {kind for kind in kinds if not issubclass(kind, events.SecurityEvent)}

    assert set(Logs().handlers) == kinds == {type(event) for event, _ in LINES}


@pytest.mark.parametrize(
    ("level", "wanted"),
    [(logging.DEBUG, [True, True]), (logging.INFO, [True, False]), (logging.ERROR, [False, False])],
)
def test_requests_that_the_level_hides_are_not_wanted(level: int, wanted: list[bool]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
    try:
        dispatcher = EventDispatcher(Logs())
    finally:
        structlog.reset_defaults()

    kinds = [events.RequestServed, events.ReadServed]
    assert [dispatcher.wants(kind) for kind in kinds] == wanted
