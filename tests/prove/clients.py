"""Clients of the proofs: their requests, and their addresses."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

PASSWORD = "correct horse battery staple"

Until = Callable[[], Awaitable[bool]]


@asynccontextmanager
async def client(
    url: str = "", seconds: float = 15.0, connections: int = 100, place: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that waits so long; `place` is the address of this machine it comes from."""
    transport = httpx.AsyncHTTPTransport(
        local_address=place,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
    )
    async with httpx.AsyncClient(base_url=url, timeout=seconds, transport=transport) as made:
        yield made


async def logged_in(url: str, name: str, password: str = PASSWORD) -> dict[str, Any]:
    """Log in and return the tokens."""
    async with client(url) as made:
        answer = await made.post("/auth/login", json={"username": name, "password": password})
        answer.raise_for_status()
        payload: dict[str, Any] = answer.json()
        return payload


async def signed_up(url: str, name: str, password: str = PASSWORD) -> None:
    """Create an account."""
    async with client(url) as made:
        answer = await made.post("/auth/signup", json={"username": name, "password": password})
        answer.raise_for_status()


async def until(holds: Until, seconds: float, every_s: float = 0.1) -> float | None:
    """Return the seconds until a condition holds; None if it does not within the limit."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if await holds():
            return time.monotonic() - began
        await asyncio.sleep(every_s)
    return None


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
