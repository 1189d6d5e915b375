"""Gives every HTTP test the application, in memory or really served."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog
from dependency_injector import providers

from entrypoints.processes.api import address_of, listen
from entrypoints.processes.api import serving as serving_api
from entrypoints.wiring.container import Container
from tests.adapters.http.http_fixture import GAUGES, SOME_GAUGES, HttpFixture, posts


@pytest.fixture
def log_level() -> int:
    """From which level on anything is logged: as in production, where reads are not."""
    return logging.INFO


@pytest.fixture(autouse=True)
def logged(log_level: int) -> Iterator[list[MutableMapping[str, Any]]]:
    """Everything that is logged meanwhile, but the line that every request gets."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(log_level))
    told = [structlog.contextvars.merge_contextvars, _but_requests]
    with structlog.testing.capture_logs(told) as events:
        yield events
    structlog.reset_defaults()


def _but_requests(
    logger: object, level: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if event["event"] == "request":
        raise structlog.DropEvent
    return event


@pytest.fixture
async def empty() -> AsyncIterator[HttpFixture]:
    """The application before any fetch."""
    fixture = HttpFixture()
    async with fixture.client:
        yield fixture


@pytest.fixture
async def fixture(empty: HttpFixture) -> HttpFixture:
    """The application with a hundred posts and a few gauges."""
    await empty.bring(posts(100))
    await empty.bring(SOME_GAUGES, GAUGES)
    return empty


@pytest.fixture
def client(fixture: HttpFixture) -> httpx.AsyncClient:
    """Asks the seeded application, without a socket between."""
    return fixture.client


@asynccontextmanager
async def _serving(fixture: HttpFixture) -> AsyncIterator[str]:
    container = Container()
    container.app.override(providers.Object(fixture.app))
    with listen("127.0.0.1", 0) as taken:
        async with serving_api(container, taken):
            yield address_of(taken)


Serve = Callable[[HttpFixture], AbstractAsyncContextManager[str]]


@pytest.fixture
def serving() -> Serve:
    """Serves an application as `catchment serve` does it, and gives its address."""
    return _serving


@pytest.fixture
async def served(fixture: HttpFixture) -> AsyncIterator[str]:
    """The address of the seeded application, really served."""
    async with _serving(fixture) as address:
        yield address
