"""A stand for every test that needs one."""

from collections.abc import AsyncIterator

import pytest

from tests.adapters.queue.stand import Stand, open_stand


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """Queues of one's own behind a proxy."""
    async with open_stand() as stand:
        yield stand
