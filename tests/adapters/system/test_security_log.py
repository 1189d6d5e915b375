"""The security log: each security event is one line, and says nothing secret."""

from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from adapters.system.events import EventDispatcher
from adapters.system.security_log import SecurityLog
from domain import events
from domain.dataset import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = {"account": "ann", "by": "root"}
FROM = {"account": "ann", "network": "192.0.2.1"}
TOKEN = {"token": "7", "scope": "read"}


def line(event: str, level: str, **fields: Any) -> dict[str, Any]:
    """What is logged."""
    return {"event": event, "log_level": level, "log": "security", **fields}


LINES: list[tuple[events.SecurityEvent, dict[str, Any]]] = [
    (events.LoggedIn(**FROM), line("logged in", "info", **FROM)),
    (
        events.LoginRefused(**FROM, code="wrong_credentials"),
        line("login refused", "warning", **FROM, code="wrong_credentials"),
    ),
    (
        events.LoginLocked(**FROM, wait_s=2.0),
        line("login locked", "warning", **FROM, wait_s=2.0),
    ),
    (
        events.AccessRefused(**FROM, method="POST", path="/tasks"),
        line("access refused", "warning", **FROM, method="POST", path="/tasks"),
    ),
    (
        events.LimitReached(**FROM, purpose="login"),
        line("limit reached", "warning", **FROM, purpose="login"),
    ),
    (
        events.UserAdded(**ANN, role=Role.USER),
        line("user added", "info", **ANN, role="user"),
    ),
    (
        events.UserAdded(**ANN, role=Role.ADMIN),
        line("user added", "warning", **ANN, role="admin"),
    ),
    (
        events.RoleChanged(**ANN, role=Role.ADMIN),
        line("role changed", "warning", **ANN, role="admin"),
    ),
    (
        events.RoleChanged(**ANN, role=Role.USER),
        line("role changed", "info", **ANN, role="user"),
    ),
    (events.UserDisabled(**ANN), line("user disabled", "info", **ANN)),
    (events.UserEnabled(**ANN), line("user enabled", "info", **ANN)),
    (
        events.PasswordChanged(**ANN, tokens_kept=False),
        line("password changed", "info", **ANN, tokens_kept=False),
    ),
    (
        events.TokenCreated(**ANN, **TOKEN, expires_at=NOW),
        line("token created", "info", **ANN, **TOKEN, expires_at="2026-01-01T00:00:00+00:00"),
    ),
    (
        events.TokenCreated(**ANN, **TOKEN, expires_at=None),
        line("token created", "info", **ANN, **TOKEN, expires_at=None),
    ),
    (
        events.TokensRevoked(**ANN, count=2),
        line("tokens revoked", "info", **ANN, count=2),
    ),
    (
        events.SessionsEnded(**ANN, count=2),
        line("sessions ended", "info", **ANN, count=2),
    ),
]


@pytest.fixture
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """Everything that is logged meanwhile."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.mark.parametrize(("event", "expected"), LINES, ids=lambda value: type(value).__name__)
def test_a_security_event_is_this_line(
    logged: list[MutableMapping[str, Any]],
    event: events.SecurityEvent,
    expected: dict[str, Any],
) -> None:
    EventDispatcher(SecurityLog()).publish(event)

    assert logged == [expected]


def test_every_security_event_is_logged() -> None:
    kinds = {found for found in vars(events).values() if isinstance(found, type)}
    kinds = {kind for kind in kinds if issubclass(kind, events.SecurityEvent)}
    kinds -= {events.SecurityEvent}

    assert set(SecurityLog().handlers) == kinds == {type(event) for event, _ in LINES}
