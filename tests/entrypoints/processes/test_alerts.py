"""Alerts as wired: processes on one database, and an operator behind a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.memory.system import SteerableClock
from adapters.sql.engine.postgres.database import PostgresDatabase
from application.operations.alerts import CHECK_S
from domain.politeness import BREAKER_MINIMUM, BREAKER_OPEN_S
from entrypoints.config.loading import load
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import maintenance, running
from entrypoints.wiring.container import Container
from entrypoints.wiring.datasets import SHIPPED
from tests.services.operator import Operator, operator, status
from tests.services.postgres import migrated_database

WATCHERS = 2
SOURCE = "api.example"


class Rhythm(SteerableClock):
    """A clock that counts sleepers, so that a test can wait for the checks of all monitors."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has moved on by so many seconds."""
        self.slept += 1
        await super().sleep(seconds)

    async def looks(self, rounds: int = 1) -> None:
        """Let every monitor check so often."""
        for _ in range(rounds):
            await self.looked(self.slept + WATCHERS, CHECK_S)

    async def looked(self, slept: int, by: float = 0.0) -> None:
        """Wait until there were so many sleeps."""
        self.advance(by)
        async with asyncio.timeout(20):
            while self.slept < slept:
                await asyncio.sleep(0)


class Processes:
    """Processes with monitors over one database."""

    def __init__(self, clock: Rhythm, containers: list[Container]) -> None:
        self.clock = clock
        self.looks = clock.looks
        self._budget = containers[0].budget()

    async def fails(self) -> None:
        """Open the breaker of the source."""
        for _ in range(BREAKER_MINIMUM):
            await self._budget.spend(SOURCE)
            await self._budget.record_outcome(SOURCE, ok=False)

    async def answers(self) -> None:
        """Close the breaker of the source by a successful probe."""
        self.clock.advance(BREAKER_OPEN_S)
        await self._budget.spend(SOURCE)
        await self._budget.record_outcome(SOURCE, ok=True)


@pytest.fixture(params=["sqlite", "postgres"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Return the URL of an empty database, of each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catchment.db'}"
        return
    async with migrated_database(tuple(line.dataset for line in SHIPPED)) as url:
        yield url


@pytest.fixture
async def listening() -> AsyncIterator[Operator]:
    """Run an operator's server."""
    async with operator() as listening:
        yield listening


@pytest.fixture
def settings(database_url: str, listening: Operator) -> Settings:
    """Return the settings of both."""
    return load(
        {
            "CATCHMENT_DATABASE_URL": database_url,
            "CATCHMENT_SECRET_KEY": "a secret of the tests, of over 32 bytes",
            "CATCHMENT_POSTS_URL": f"http://{SOURCE}/posts",
            "CATCHMENT_FETCH_EVERY": "off",
            "CATCHMENT_ALERT_URL": listening.url,
        }
    )


@asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[Processes]:
    """Run several processes, each with its own container and connections."""
    clock = Rhythm()
    async with AsyncExitStack() as stack:
        containers = [
            await stack.enter_async_context(running(settings, **_steered(settings, clock)))
            for _ in range(WATCHERS)
        ]
        tasks = [asyncio.create_task(container.alert_monitor()()) for container in containers]
        await clock.looked(WATCHERS)
        try:
            yield Processes(clock, containers)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _steered(settings: Settings, clock: Rhythm) -> dict[str, Any]:
    """Return the overrides that make every part use this clock."""
    if settings.database_file is not None:
        return {"clock": clock}
    return {"clock": clock, "database": PostgresDatabase(settings.database_url, own_time=False)}


def events(listening: Operator) -> list[tuple[str, str, str]]:
    """Return the sent alerts, in order."""
    return [(h.body["event"], h.body["kind"], h.body["subject"]) for h in listening.heard]


async def test_two_processes_report_a_start_and_an_end_once_each(
    settings: Settings, listening: Operator
) -> None:
    async with watching(settings) as processes:
        await processes.fails()
        await processes.looks(3)
        raised = events(listening)
        await processes.answers()
        await processes.looks(3)

    assert raised == [("raised", "breaker", SOURCE)]
    assert events(listening) == [*raised, ("recovered", "breaker", SOURCE)]


async def test_an_alert_sent_before_a_restart_is_not_repeated(
    settings: Settings, listening: Operator
) -> None:
    for _ in range(2):
        async with watching(settings) as processes:
            await processes.fails()
            await processes.looks(2)

    assert events(listening) == [("raised", "breaker", SOURCE)]


async def test_a_failed_alert_is_sent_at_a_later_check(
    settings: Settings, listening: Operator
) -> None:
    listening.replies = [status("500 Internal Server Error"), b""]

    async with watching(settings) as processes:
        await processes.fails()
        await processes.looks(4)

    assert events(listening) == [("raised", "breaker", SOURCE)] * 3
    assert len({heard.body["since"] for heard in listening.heard}) == 1


def test_without_an_alert_url_there_is_no_monitor(settings: Settings) -> None:
    named = Container(settings=settings)
    nameless = Container(settings=load({"CATCHMENT_ALERT_URL": ""}))

    assert (len(maintenance(named)), len(maintenance(nameless))) == (2, 1)
