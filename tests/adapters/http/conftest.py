"""Fixtures of the HTTP tests: the application, in memory or served on a port."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog

from entrypoints.processes.server import address_of, listen
from entrypoints.processes.server import serving as serving_api
from tests.adapters.http.http_fixture import GAUGES, SOME_GAUGES, HttpFixture, posts


@pytest.fixture
def log_level() -> int:
    """Return the log level: that of production, where reads are not logged."""
    return logging.INFO


@pytest.fixture(autouse=True)
def logged(log_level: int) -> Iterator[list[MutableMapping[str, Any]]]:
    """Yield the log lines of a test, without those of the access log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(log_level))
    answers = [structlog.contextvars.merge_contextvars, _but_requests]
    with structlog.testing.capture_logs(answers) as events:
        yield events
    structlog.reset_defaults()


def _but_requests(
    logger: object, level: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if event["event"] == "request":
        raise structlog.DropEvent
    return event


# ---------------------------------------------------------------- the application


async def _seed(fixture: HttpFixture) -> HttpFixture:
    await fixture.bring(posts(100))
    await fixture.bring(SOME_GAUGES, GAUGES)
    return fixture


@pytest.fixture(scope="session")
def seeded_once() -> HttpFixture:
    """Return the seeded application that tests share, because building it is slow."""
    with asyncio.Runner() as runner:
        return runner.run(_seed(HttpFixture()))


@pytest.fixture
def shared(seeded_once: HttpFixture) -> Iterator[HttpFixture]:
    """Yield the seeded application for tests that change nothing in it."""
    seeded_once.database.full_at_s.clear()  # the rates of earlier clients
    before = seeded_once.state()
    yield seeded_once
    assert seeded_once.state() == before, "take `fixture`: this test changes the application"


@pytest.fixture
async def empty() -> AsyncIterator[HttpFixture]:
    """Yield an application for one test, before any fetch."""
    fixture = HttpFixture()
    async with fixture.client:
        yield fixture


@pytest.fixture
async def fixture(empty: HttpFixture) -> HttpFixture:
    """Return an application for one test, with a hundred posts and a few gauges."""
    return await _seed(empty)


@pytest.fixture
def client(request: pytest.FixtureRequest) -> httpx.AsyncClient:
    """Return a client of the test's own application, or of the shared one."""
    own = {"fixture", "empty"} & set(request.fixturenames)
    application: HttpFixture = request.getfixturevalue("fixture" if own else "shared")
    return application.client


@asynccontextmanager
async def _serving(fixture: HttpFixture) -> AsyncIterator[str]:
    with listen("127.0.0.1", 0) as taken:
        async with serving_api(fixture.app, taken):
            yield address_of(taken)


Serve = Callable[[HttpFixture], AbstractAsyncContextManager[str]]


@pytest.fixture
def serving() -> Serve:
    """Return what serves an application as `catchment serve` does, and yields its address."""
    return _serving


@pytest.fixture
async def served(fixture: HttpFixture) -> AsyncIterator[str]:
    """Yield the address of the seeded application, served on a port."""
    async with _serving(fixture) as address:
        yield address
