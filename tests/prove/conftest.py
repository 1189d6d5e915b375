"""Fixtures: the whole product in this process, over SQLite and over PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entrypoints.config.loading import load
from entrypoints.processes.lifecycle import running
from entrypoints.sample_upstream import SampleUpstream
from entrypoints.wiring.container import Container
from tests.services.postgres import empty_database


@pytest.fixture
async def upstream() -> AsyncIterator[SampleUpstream]:
    """The sample upstream, in this process."""
    async with SampleUpstream() as upstream:
        yield upstream


@pytest.fixture(params=["sqlite", "postgres"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catchment.db'}"
        return
    async with empty_database() as url:
        yield url


@pytest.fixture
async def container(database_url: str, upstream: SampleUpstream) -> AsyncIterator[Container]:
    """Return a container with posts from the sample upstream."""
    host, port = upstream.address
    settings = {
        "CATCHMENT_DATABASE_URL": database_url,
        "CATCHMENT_SECRET_KEY": "a secret for proofs, of more than 32 bytes",
        "CATCHMENT_POSTS_URL": upstream.url("/posts"),
        "CATCHMENT_COINPAPRIKA_URL": "",
        "CATCHMENT_GITHUB_URL": "",
        "CATCHMENT_MIN_FETCH_INTERVAL": "0s",
        "CATCHMENT_RATE_LIMITS": f"{host}:{port}=100000/1s",
    }
    async with running(load(settings)) as container:
        yield container
