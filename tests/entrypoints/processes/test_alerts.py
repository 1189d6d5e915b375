"""Alerts as they are put together: processes on one database, and an operator behind a socket."""

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
    """A clock that counts who goes to sleep, so that one can wait for all to have looked."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has been moved so many seconds on."""
        self.slept += 1
        await super().sleep(seconds)

    async def looks(self, rounds: int = 1) -> None:
        """Have every watcher look so often."""
        for _ in range(rounds):
            await self.looked(self.slept + WATCHERS, CHECK_S)

    async def looked(self, slept: int, by: float = 0.0) -> None:
        """Return when somebody has gone to sleep so often."""
        self.advance(by)
        async with asyncio.timeout(20):
            while self.slept < slept:
                await asyncio.sleep(0)


class Processes:
    """Processes that watch one database."""

    def __init__(self, clock: Rhythm, containers: list[Container]) -> None:
        self.clock = clock
        self.looks = clock.looks
        self._budget = containers[0].budget()

    async def fails(self) -> None:
        """Have the source's breaker open."""
        for _ in range(BREAKER_MINIMUM):
            await self._budget.spend(SOURCE)
            await self._budget.record_outcome(SOURCE, ok=False)

    async def answers(self) -> None:
        """Have the source answer its probe."""
        self.clock.advance(BREAKER_OPEN_S)
        await self._budget.spend(SOURCE)
        await self._budget.record_outcome(SOURCE, ok=True)


@pytest.fixture(params=["sqlite", "postgres"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Where an empty database is, of each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catchment.db'}"
        return
    async with migrated_database(tuple(line.dataset for line in SHIPPED)) as url:
        yield url


@pytest.fixture
async def listening() -> AsyncIterator[Operator]:
    """An operator who listens."""
    async with operator() as listening:
        yield listening


@pytest.fixture
def settings(database_url: str, listening: Operator) -> Settings:
    """Settings that lead to both."""
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
    """Several processes, each with a container and connections of its own."""
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
    """The providers that make everybody go by this clock."""
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
