"""Fixtures that the documentation is compared with."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from entrypoints.config.loading import load
from entrypoints.processes.lifecycle import running
from tests.docs.demo import Demo
from tests.docs.demo import demo as started_demo


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """Yield a demo that has ended its tour and serves; tests do not change its records."""
    with started_demo() as demo:
        yield demo


@pytest.fixture
async def openapi(tmp_path: Any) -> dict[str, Any]:
    """Return the OpenAPI document of the application."""
    settings = load({"CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path}/catchment.db"})
    async with running(settings) as container:
        transport = httpx.ASGITransport(app=container.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            document: dict[str, Any] = (await client.get("/openapi.json")).json()
            return document
