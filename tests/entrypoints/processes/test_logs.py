"""Logs: what is told of alerts and of what was removed."""

from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from domain.alerts import Alert, Event, Kind
from domain.errors import StoreUnavailable
from domain.retention import RetainedKind
from entrypoints.processes.logs import tell_of_alert, tell_of_pruned

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GONE = StoreUnavailable("the database is gone")


def alert(event: Event = Event.RAISED) -> Alert:
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


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """Everything that is logged meanwhile."""
    with structlog.testing.capture_logs() as events:
        yield events


def test_an_alert_is_a_warning_and_its_recovery_is_none(
    logged: list[MutableMapping[str, Any]],
) -> None:
    tell_of_alert(alert(), None)
    tell_of_alert(alert(Event.RECOVERED), None)

    told = {"kind": "breaker", "subject": "api.example", "source": "one"}
    assert logged == [
        {"event": "alert told", "log_level": "warning", "detail": "it keeps failing", **told},
        {"event": "recovery told", "log_level": "info", "detail": "it keeps failing", **told},
    ]


def test_what_could_not_be_told_or_seen_is_logged_with_its_reason(
    logged: list[MutableMapping[str, Any]],
) -> None:
    tell_of_alert(alert(), GONE)
    tell_of_alert(None, GONE)
    tell_of_alert(None, broken := ZeroDivisionError())

    assert [event["log_level"] for event in logged] == ["error"] * 3
    assert [event.get("reason") for event in logged] == [GONE.detail, GONE.detail, None]
    assert logged[2]["exc_info"] is broken


def test_what_was_removed_is_logged_unless_it_was_nothing(
    logged: list[MutableMapping[str, Any]],
) -> None:
    tell_of_pruned({RetainedKind.JOBS: 0, RetainedKind.PAYLOADS: 0})
    tell_of_pruned({RetainedKind.JOBS: 3, RetainedKind.PAYLOADS: 0})
    tell_of_pruned(GONE)
    tell_of_pruned(broken := ZeroDivisionError())

    what = "what is old could not be removed"
    assert logged == [
        {"event": "pruned", "log_level": "info", "jobs": 3},
        {"event": what, "log_level": "error", "reason": GONE.detail},
        {"event": what, "log_level": "error", "exc_info": broken},
    ]
