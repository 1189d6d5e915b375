"""Fixtures of real processes: the `catchment` command as a user starts it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from entrypoints.sample_upstream import SampleUpstream
from tests.services.postgres import empty_database
from tests.services.rabbitmq import broker_url, private_node, program

COMMAND = str(Path(sys.executable).with_name("catchment"))

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts real processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


@pytest.fixture
async def upstream() -> AsyncIterator[SampleUpstream]:
    """The sample upstream, in this process."""
    async with SampleUpstream() as upstream:
        yield upstream


@pytest.fixture
def settings(tmp_path: Path, upstream: SampleUpstream) -> dict[str, str]:
    """Return settings with the sample upstream and a database of the test's own."""
    return {
        "CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'catchment.db'}",
        "CATCHMENT_POSTS_URL": upstream.url("/posts"),
        "CATCHMENT_COINPAPRIKA_URL": "",
        "CATCHMENT_PORT": "0",
    }


@pytest.fixture
async def start(tmp_path: Path, settings: dict[str, str]) -> AsyncIterator[Start]:
    """Return a function that starts a command; running ones are killed at the end."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str, **more: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            cwd=tmp_path,
            env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1", **settings, **more},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start

    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """Return a broker of the test's own, if one can be started; all processes share its queue."""
    if program() is None:
        yield broker_url()
        return
    with private_node() as node:
        yield node.url


@pytest.fixture
async def replicas(settings: dict[str, str], broker: str) -> AsyncIterator[dict[str, str]]:
    """Settings of processes that share an empty database and a broker."""
    async with empty_database() as database:
        settings |= {
            "CATCHMENT_DATABASE_URL": database,
            "CATCHMENT_BROKER_URL": broker,
            "CATCHMENT_SECRET_KEY": "a secret of the tests, of over 32 bytes",
            "CATCHMENT_MIN_FETCH_INTERVAL": "0s",
            "CATCHMENT_FETCH_EVERY": "off",
            "CATCHMENT_FETCH_ON_START": "false",
        }
        yield settings


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """Return the exit code and the output of a command on both channels."""
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def url_of(process: asyncio.subprocess.Process) -> str:
    """Return the URL of a served API, from its first line."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    return line.split(" serves ")[1].split(",")[0]
