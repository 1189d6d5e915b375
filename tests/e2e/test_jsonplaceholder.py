"""JSONPlaceholder's own server, as its authors publish it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Start, ended
from tests.services.npm import installed, node

PACKAGE = "jsonplaceholder@0.3.3"

pytestmark = pytest.mark.node


@pytest.fixture
async def jsonplaceholder(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a running JSONPlaceholder."""
    package = installed(PACKAGE, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        *(node(), package / "index.js"),
        env={"PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    async with asyncio.timeout(60):
        while b"listening" not in await server.stdout.readline():
            pass
    yield f"http://127.0.0.1:{port}"
    server.kill()
    await server.communicate()


async def test_all_posts_come_over_in_one_page_or_in_ten_and_again_as_a_304(
    start: Start, jsonplaceholder: str, tmp_path: Path
) -> None:
    whole = {"CATCHMENT_POSTS_URL": f"{jsonplaceholder}/posts"}
    paged = {
        "CATCHMENT_POSTS_URL": f"{jsonplaceholder}/posts?_page=1",
        "CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'paged.db'}",
    }

    first = await ended(await start("fetch", "posts", **whole))
    again = await ended(await start("fetch", "posts", "--force", **whole))
    pages = await ended(await start("fetch", "posts", **paged))
    pages_again = await ended(await start("fetch", "posts", "--force", **paged))

    assert "100 received, 100 inserted (1 requests, " in first[1]
    assert "nothing has changed (1 requests)" in again[1]
    assert "100 received, 100 inserted (10 requests, " in pages[1]
    assert "posts: unchanged" in pages_again[1]
