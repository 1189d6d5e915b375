"""Telling the operator: one POST for an alert, sent once, politely, and with a secret path."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest

from adapters.memory.database import MemoryDatabase
from adapters.memory.operations import MemoryEvents, MemoryTracer
from adapters.memory.politeness import MemoryBudget
from adapters.memory.system import SeededRandom, SteerableClock
from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.webhook import HttpNotifier
from domain.alerts import Alert, AlertEvent, Kind
from domain.errors import SourceBlocked, SourceError, SourceRefused, SourceUnavailable
from domain.politeness import BREAKER_MINIMUM, Breaker, Rate
from tests.adapters.outbound.client_fixture import NO_LIMIT, HurriedClock
from tests.services.operator import PATH, Operator, operator, status

ALERT = Alert(
    event=AlertEvent.RAISED,
    kind=Kind.STALE,
    subject="posts",
    dataset="posts",
    source=None,
    detail="not fetched, é",
    since=datetime(2026, 1, 1, tzinfo=UTC),
    at=datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC),
)


class Line:
    """The way to one operator, and the budget it is under."""

    def __init__(
        self, listening: Operator, rate: Rate, may_be_private: bool, clock: SteerableClock
    ) -> None:
        self.operator = listening
        self.budget = MemoryBudget(MemoryDatabase(), clock, {}, rate)
        allowed = frozenset({listening.host} if may_be_private else ())
        self.client = PoliteClient(
            self.budget,
            clock,
            SeededRandom(),
            MemoryEvents(),
            MemoryTracer(),
            allowed_private=allowed,
            user_agent="ours",
        )
        self.notify = HttpNotifier(self.client, listening.url, clock).notify

    async def fails(self) -> SourceError:
        """Tell what cannot be told."""
        with pytest.raises(SourceError) as failure:
            await self.notify(ALERT)
        assert "token" not in failure.value.detail
        return failure.value


@asynccontextmanager
async def opened(
    rate: Rate = NO_LIMIT,
    may_be_private: bool = True,
) -> AsyncIterator[Line]:
    """A line to an operator who listens."""
    async with operator() as listening:
        line = Line(listening, rate, may_be_private, HurriedClock())
        try:
            yield line
        finally:
            await line.client.close()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """A line to an operator who listens."""
    async with opened() as line:
        yield line


async def test_an_alert_arrives_as_json(line: Line) -> None:
    await line.notify(ALERT)

    [heard] = line.operator.heard
    assert heard.line == f"POST {PATH} HTTP/1.1"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["user-agent"] == "ours"
    assert heard.body == msgspec.to_builtins(ALERT)
    assert heard.body["since"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "reply",
    [
        status("200 OK"),
        status("201 Created"),
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 999\r\n\r\nthe rest of it never comes",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n?",
    ],
)
async def test_any_answer_of_the_200s_is_an_arrival(line: Line, reply: bytes) -> None:
    line.operator.replies = [reply, reply]

    await line.notify(ALERT)
    await line.notify(ALERT)

    assert len(line.operator.heard) == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (status("500 Internal Server Error"), SourceUnavailable),
        (status("501 Not Implemented"), SourceUnavailable),
        (status("429 Too Many Requests"), SourceBlocked),
        (status("404 Not Found"), SourceRefused),
        (status("307 Temporary Redirect", "Location: /elsewhere"), SourceRefused),
        (status("304 Not Modified"), SourceRefused),
        (b"", SourceUnavailable),
        (b"no HTTP at all\r\n\r\n", SourceUnavailable),
    ],
)
async def test_what_may_not_have_arrived_is_said_and_not_sent_again(
    line: Line, reply: bytes, error: type[SourceError]
) -> None:
    line.operator.replies = [reply]

    failure = await line.fails()

    assert isinstance(failure, error)
    assert len(line.operator.heard) == 1


async def test_an_operator_who_keeps_failing_is_left_alone(line: Line) -> None:
    line.operator.replies = [status("500 Internal Server Error")] * 99
    for _ in range(BREAKER_MINIMUM):
        await line.fails()

    failure = await line.fails()

    assert len(line.operator.heard) == BREAKER_MINIMUM
    assert isinstance(failure, SourceUnavailable)
    host = await line.budget.state(line.operator.host)
    assert host.breaker(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) is Breaker.OPEN


async def test_an_operator_s_demand_for_a_pause_is_respected(line: Line) -> None:
    line.operator.replies = [status("503 Service Unavailable", "Retry-After: 60")]

    first, second = await line.fails(), await line.fails()

    assert len(line.operator.heard) == 1
    assert isinstance(first, SourceUnavailable)
    assert isinstance(second, SourceBlocked)


async def test_the_budget_of_the_host_holds_for_alerts() -> None:
    async with opened(rate=Rate(1, 3600.0)) as line:
        await line.notify(ALERT)

        failure = await line.fails()

        assert len(line.operator.heard) == 1
        assert isinstance(failure, SourceBlocked)


async def test_a_private_address_is_refused_unless_it_was_named() -> None:
    async with opened(may_be_private=False) as line:
        failure = await line.fails()

        assert (type(failure), failure.code) == (SourceRefused, "address_refused")
        assert line.operator.heard == []
