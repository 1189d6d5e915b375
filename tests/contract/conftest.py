"""Fixtures that run every contract on every backend."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.backends import BACKENDS, Backend, Open


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(name, marks=pytest.mark.postgres if name == "postgres" else ())
        for name in BACKENDS
    ],
)
def open_backend(request: pytest.FixtureRequest) -> Open:
    """Return a function that opens an empty backend."""
    return BACKENDS[request.param]


@pytest.fixture
async def backend(open_backend: Open) -> AsyncIterator[Backend]:
    """Return one empty backend."""
    async with open_backend() as backend:
        yield backend
