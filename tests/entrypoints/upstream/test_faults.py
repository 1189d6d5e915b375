"""What holds for every fault: it is listed, it is played, and it ends with the server."""

import asyncio
import gc

import httpx
import pytest

from entrypoints.upstream import FAULTS, SampleUpstream, serve
from tests.entrypoints.upstream.raw_http import NO_CERTIFICATES, PATIENCE_SECONDS

ELSEWHERE = {36, 37, 42}
"""DNS, TLS and two hosts: not for one server on one port."""
NAMED = {"csv-": 30, "ticker-date-": 31}
"""Rows of the list whose faults have names of their own, because they befall one subject alone."""


def numbers() -> list[int]:
    starts = [name.partition("-")[0] for name in FAULTS]
    return [int(start[1:]) for start in starts if start.startswith("U")]


def test_every_row_of_the_list_has_a_fault() -> None:
    named = {row for start, row in NAMED.items() for name in FAULTS if name.startswith(start)}

    assert set(numbers()) | named == set(range(1, 44)) - ELSEWHERE


def test_faults_are_listed_in_the_order_of_their_numbers() -> None:
    assert numbers() == sorted(numbers())
    assert list(FAULTS)[: len(numbers())] == [name for name in FAULTS if name.startswith("U")]


def test_every_fault_is_described_in_a_sentence() -> None:
    descriptions = [fault.description for fault in FAULTS.values()]

    assert [text for text in descriptions if not text.endswith(".") or len(text) > 120] == []


@pytest.mark.parametrize("name", FAULTS)
async def test_stopping_the_server_ends_every_fault(name: str) -> None:
    async with SampleUpstream() as upstream:
        path = upstream.fault_url(name).removeprefix(upstream.url(""))
        reader, writer = await asyncio.open_connection(*upstream.address)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        await upstream.arrived(1)
        for _ in range(20):  # until it is in the middle of it
            await asyncio.sleep(0)

    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert tasks == set()
    await _drain(reader, writer)
    # An unclosed transport is reported when it is collected, and pytest makes that a failure.
    gc.collect()


async def test_an_endless_fault_ends_when_its_client_leaves(upstream: SampleUpstream) -> None:
    tasks = asyncio.all_tasks()
    for name in ("U17", "U18-body-drip", "U18-stall", "U19", "U22-100"):
        _, writer = await asyncio.open_connection(*upstream.address)
        writer.write(f"GET /faults/{name}/posts HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        await upstream.arrived(1)
        writer.transport.abort()
        upstream.forget()

    async with asyncio.timeout(PATIENCE_SECONDS):
        while asyncio.all_tasks() - tasks:
            await asyncio.sleep(0)


async def test_a_bare_number_means_its_first_variant(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    answer = await client.get(upstream.fault_url("U1"))

    assert answer.status_code == 500


async def test_an_unknown_fault_is_explained(client: httpx.AsyncClient) -> None:
    answer = await client.get("/faults/U99/posts")

    assert answer.status_code == 404
    assert "U99" in answer.json()["error"]


async def test_forgetting_begins_a_stateful_fault_anew(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    url = upstream.fault_url("U1-503-then-ok")
    first = [(await client.get(url)).status_code for _ in range(4)]
    upstream.forget()
    upstream.failures_before_ok = 1

    again = [(await client.get(url)).status_code for _ in range(2)]

    assert first == [503, 503, 200, 200]
    assert again == [503, 200]


async def test_a_fault_serves_the_revised_posts(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.revise(3)

    posts = (await client.get(upstream.fault_url("U26"))).json()

    assert posts[0]["title"].endswith("(generation 3)")


async def test_serves_until_cancelled() -> None:
    addresses: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(serve(port=0, posts=3, announce=addresses.put_nowait))
    async with httpx.AsyncClient(verify=NO_CERTIFICATES) as client:
        posts = (await client.get(await addresses.get() + "/posts")).json()
    serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await serving
    assert len(posts) == 3


async def _drain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            while await reader.read(2**20):
                pass
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)
