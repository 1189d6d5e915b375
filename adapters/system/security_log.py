"""The security log: one line for each security event, in the log of the process."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import structlog

from adapters.system.events import Handler
from domain import events
from domain.dataset import Role

#: The level and the words of each kind; programs such as fail2ban look for the words.
LINES: Mapping[type[events.SecurityEvent], tuple[int, str]] = {
    events.LoggedIn: (logging.INFO, "logged in"),
    events.LoginRefused: (logging.WARNING, "login refused"),
    events.LoginLocked: (logging.WARNING, "login locked"),
    events.AccessRefused: (logging.WARNING, "access refused"),
    events.LimitReached: (logging.WARNING, "limit reached"),
    events.UserAdded: (logging.INFO, "user added"),
    events.RoleChanged: (logging.INFO, "role changed"),
    events.UserDisabled: (logging.INFO, "user disabled"),
    events.UserEnabled: (logging.INFO, "user enabled"),
    events.PasswordChanged: (logging.INFO, "password changed"),
    events.TokenCreated: (logging.INFO, "token created"),
    events.TokensRevoked: (logging.INFO, "tokens revoked"),
    events.SessionsEnded: (logging.INFO, "sessions ended"),
}


class SecurityLog:
    """Logs security events; each of its lines has `log=security`.

    Refusals, and whatever makes an admin, are warnings.
    """

    def __init__(self) -> None:
        self._log: Any = structlog.get_logger().bind(log="security")
        self.handlers: dict[type[events.Event], Handler] = dict.fromkeys(LINES, self._write)

    def _write(self, event: events.SecurityEvent) -> None:
        level, said = LINES[type(event)]
        fields = {name: _plain(value) for name, value in msgspec.structs.asdict(event).items()}
        if fields.get("role") == Role.ADMIN:
            level = logging.WARNING
        self._log.log(level, said, **fields)


def _plain(value: Any) -> Any:
    """Return a value as the log shows it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Role) else value
