"""The page about the security log: its lines are those that are written, and its filter works."""

import configparser
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from adapters.system.security_log import LINES, SecurityLog
from domain import events
from tests.docs.markdown import DOCS, blocks

PAGE = DOCS / "how-to" / "watch-logins.md"
ROW = re.compile(r"^\| `((?!event`)[a-z ]+)` \| [^|]+ \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
#: As fail2ban reads the word in a filter: an address, or a network.
SUBNET = r"(?P<network>[0-9a-f.:]+(?:/[0-9]+)?)"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The lines that a security log in JSON writes meanwhile, as `configure` has them."""
    written = structlog.testing.CapturingLogger()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: written,
    )
    try:
        yield Texts(written)
    finally:
        structlog.reset_defaults()


class Texts(list[str]):
    """What a logger was given, as texts."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def __iter__(self) -> Iterator[str]:
        return (call.args[0] for call in self._logger.calls)


def test_the_page_has_every_kind_of_line_with_its_fields() -> None:
    found = {
        event: set(re.findall(r"`(\w+)`", fields))
        for event, fields in ROW.findall(PAGE.read_text(encoding="utf-8"))
    }

    assert found == {said: set(kind.__struct_fields__) for kind, (_, said) in LINES.items()}


def failregex() -> re.Pattern[str]:
    """The pattern of the filter on the page."""
    [text] = [b.text for b in blocks(PAGE, "ini") if "[Definition]" in b.text]
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return re.compile(parser["Definition"]["failregex"].replace("<SUBNET>", SUBNET))


@pytest.mark.parametrize(
    ("event", "network"),
    [
        (events.LoginRefused(account="ann", network="192.0.2.1", code="wrong_credentials"), True),
        (events.LoginRefused(account="", network="2001:db8::/64", code="too_many_requests"), True),
        (events.LimitReached(account="a.b@c-d", network="192.0.2.1", purpose="login"), True),
        (events.LimitReached(account="", network="192.0.2.1", purpose="signup"), True),
        (events.LimitReached(account="ann", network="192.0.2.1", purpose="fetch"), False),
        (events.LoggedIn(account="ann", network="192.0.2.1"), False),
        (
            events.AccessRefused(
                account="ann", network="192.0.2.1", method="GET", path='/","event":"login refused"'
            ),
            False,
        ),
    ],
)
def test_the_filter_finds_who_guesses_and_nobody_else(
    lines: list[str], event: events.SecurityEvent, network: bool
) -> None:
    SecurityLog().handlers[type(event)](event)

    [line] = lines
    found = failregex().search(line)
    assert (found is not None) is network
    if found is not None:
        assert found["network"] == event.network  # type: ignore[attr-defined]
