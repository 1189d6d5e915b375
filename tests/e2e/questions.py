"""Helpers of the tests of several processes: requests, and the wait for a task."""

from typing import Any

import httpx

NOBODY = "amqp://guest:guest@127.0.0.1:9/"


async def asked(url: str, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Return the response to one request."""
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.request(method, url + path, headers=headers)


async def finished(url: str, **headers: str) -> dict[str, Any]:
    """Start a task and wait for its end."""
    answer = await asked(url, "/fetch", "POST", prefer="respond-async, wait=30", **headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told
