"""A fixture for every test that needs one."""

from collections.abc import AsyncIterator

import pytest

from tests.adapters.outbound.client_fixture import ClientFixture, open_client


@pytest.fixture
async def fixture() -> AsyncIterator[ClientFixture]:
    async with open_client() as fixture:
        yield fixture
