"""Every fault: it is listed, changes its subject, recovers if it should, and can be ended."""

import asyncio
import gc
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from entrypoints.sample_upstream import FAULTS, SampleUpstream
from entrypoints.sample_upstream.subjects import SUBJECTS
from tests.entrypoints.sample_upstream.raw_http import PATIENCE_SECONDS

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATHS = [subject.path for subject in SUBJECTS]
ELSEWHERE = {36, 37, 42}
"""DNS, TLS and two hosts: not for one server on one port."""
NAMED = {"csv-": 30, "ticker-date-": 31}
"""Rows of the list whose faults have names of their own, because they befall one subject alone."""
ALONE = {
    **dict.fromkeys(("U24", "U26", "U27", "U28", "U29", "U32"), "/posts"),
    "csv-": "/assets.csv",
    "point-": "/telemetry",
    "ticker-": "/v1/tickers",
}
LATE = {"U40", "U40-then-ok"}
"""What is wrong with these is only when they come."""
ENDLESS = ("U17", "U18-body-drip", "U18-stall", "U19", "U22-100")
#: No proper answer is longer than this, and none that never ends is read any further.
ENOUGH_BYTES = 200_000
#: These say nothing more at some point, and do not hang up.
QUIET = ("U18-stall", "U19")
QUIET_S = 0.2


async def conversation(path: str, patience_s: float = PATIENCE_SECONDS) -> bytes | None:
    """Return a new server's answers to two requests on one connection; None if it is silent."""
    async with SampleUpstream() as upstream:
        upstream.now = lambda: NOON
        upstream.drip_seconds = 0.0
        said = b""
        reader, writer = await asyncio.open_connection(*upstream.address)
        asking = "GET {} HTTP/1.1\r\nHost: here\r\nUser-Agent: test\r\nAccept-Encoding: gzip\r\n"
        asking += 'Authorization: Bearer mine\r\nIf-None-Match: "other"\r\n{}\r\n'
        once = asking.format(path, "") + asking.format(path, "Connection: close\r\n")
        writer.write(once.encode())
        try:
            while len(said) < ENOUGH_BYTES:
                piece = await asyncio.wait_for(reader.read(2**16), patience_s)
                said += piece
                if not piece:
                    break
        except ConnectionError:
            said += b"broken off"
        except TimeoutError:
            return None
        finally:
            writer.transport.abort()
    return said


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


def test_faults_of_records_befall_their_subject_alone_and_the_rest_all_that_can_have_them() -> None:
    befallen = {
        name: [subject.path for subject in fault.subjects] for name, fault in FAULTS.items()
    }
    of = {name: path for name in FAULTS for start, path in ALONE.items() if name.startswith(start)}

    assert set(ALONE) == {start for start in ALONE if any(name.startswith(start) for name in of)}
    assert {name for name, path in of.items() if befallen[name] != [path]} == set()
    assert {name for name in FAULTS if name not in of and "/posts" not in befallen[name]} == set()


@pytest.mark.parametrize("path", PATHS)
async def test_every_fault_spoils_every_subject_it_can_befall(path: str) -> None:
    befalling = [
        name
        for name, fault in FAULTS.items()
        if path in {subject.path for subject in fault.subjects} and name not in LATE
    ]
    proper = await conversation(path)
    assert proper is not None
    assert proper.count(b"HTTP/1.1 200 OK") == 2

    said = {
        name: await conversation(
            f"/faults/{name}{path}", QUIET_S if name.startswith(QUIET) else PATIENCE_SECONDS
        )
        for name in befalling
    }

    assert [name for name in said if said[name] == proper] == []
    assert {name for name in said if said[name] is None} == {
        name for name in befalling if name.startswith(QUIET)
    }


async def test_a_late_answer_is_right_and_late(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.drip_seconds = 0.03

    answer = await client.get(upstream.fault_url("U40"))

    assert len(answer.json()) == 100
    assert answer.elapsed.total_seconds() >= 0.03


async def test_every_fault_of_records_spoils_the_body(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.now = lambda: NOON
    names = [name for name in FAULTS if name.startswith(tuple(ALONE))]
    right = {"time": int(NOON.timestamp()), "value": [157, 42, 76, 190], "tags": []}
    upstream.set_points([right] * 2 * len(names))
    proper = {path: (await client.get(path)).content for path in set(ALONE.values())}

    spoiled = {name: (await client.get(upstream.fault_url(name))).content for name in names}

    befallen = {name: FAULTS[name].subjects[0].path for name in names}
    assert [name for name in names if spoiled[name] == proper[befallen[name]]] == []


def quoted(served: list[dict[str, Any]]) -> list[Any]:
    return [one.get("quotes", {}).get("USD", {}).get("price", "none") for one in served]


def lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").splitlines()


SPOILED: dict[str, Callable[[str], bool]] = {
    "csv-bom": lambda body: body.startswith("\ufeffid,symbol,"),
    "csv-tab": lambda body: lines(body)[3].startswith("solana\tSOL\t"),
    "csv-crlf-mix": lambda body: body.count("\r\n") == 10,
    "csv-unclosed-quote": lambda body: lines(body)[3].startswith('solana,"SOL,'),
    "csv-ragged": lambda body: [lines(body)[at].count(",") for at in (3, 4, 5)] == [5, 8, 10],
    "csv-header-changed": lambda body: body.startswith("id,symbol,name,price,rank,"),
    "csv-price-comma": lambda body: ',"137,91",' in lines(body)[3],
    "csv-id-twice": lambda body: lines(body)[-1].startswith("solana,SOL,the later name,"),
    "csv-mostly-bad": lambda body: body.count(",NaN,") == 10,
    "point-byte-256": lambda body: json.loads(body)["value"] == [157, 256, 76, 190],
    "point-time-tomorrow": lambda body: json.loads(body)["time"] == NOON.timestamp() + 86_400,
    "point-no-tags": lambda body: set(json.loads(body)) == {"time", "value"},
    "point-list": lambda body: len(json.loads(body)) == 2,
    "ticker-price-nan-text": lambda body: quoted(json.loads(body))[2] == "NaN",
    "ticker-no-price": lambda body: quoted(json.loads(body)).index("none") == 2,
    "ticker-twice": lambda body: json.loads(body)[-1] == json.loads(body)[2],
    "ticker-id-twice": lambda body: quoted(json.loads(body))[-1] == 2.0,
    "ticker-mostly-bad": lambda body: sum("quotes" not in one for one in json.loads(body)) == 25,
    "ticker-date-year-1": lambda body: json.loads(body)[2]["last_updated"].startswith("0001-01-01"),
    "U43": lambda body: "You sent Bearer mine and " in body,
}
"""The ways in which records are spoiled, each on one fault that no other test plays."""


async def test_records_are_spoiled_as_the_fault_says(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.now = lambda: NOON
    headers = {"Authorization": "Bearer mine"}
    bodies = {
        name: (await client.get(upstream.fault_url(name), headers=headers)).text for name in SPOILED
    }

    assert [name for name, is_spoiled in SPOILED.items() if not is_spoiled(bodies[name])] == []


async def test_a_fault_of_records_can_be_played_on_any_records(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.set_tickers([{"id": 1}, {"quotes": None}, {"quotes": {}}, {}])
    names = [name for name in FAULTS if name.startswith(("csv-", "ticker-"))]
    statuses = {}
    for text in ("", "a\n", "a,b\n1,2\n"):
        upstream.set_assets(text)
        for name in names:
            statuses[name, text] = (await client.get(upstream.fault_url(name))).status_code

    assert {case for case, status in statuses.items() if status != 200} == set()


# ---------------------------------------------------------------- what passes


async def test_each_path_has_its_own_failures_which_are_reset_by_forget(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    async def statuses() -> list[int]:
        urls = [upstream.fault_url("U1-503-then-ok", path) for path in PATHS]
        return [(await client.get(url)).status_code for url in urls]

    first = [await statuses() for _ in range(3)]
    upstream.forget()
    upstream.failures_before_ok = 1
    again = [await statuses() for _ in range(2)]

    assert first == [[503] * 5, [503] * 5, [200] * 5]
    assert again == [[503] * 5, [200] * 5]


async def test_a_fault_serves_the_revised_posts(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.revise(3)

    posts = (await client.get(upstream.fault_url("U26"))).json()

    assert posts[0]["title"].endswith("(generation 3)")


# ---------------------------------------------------------------- what is not there


async def test_a_bare_number_means_its_first_variant(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    assert (await client.get(upstream.fault_url("U1"))).status_code == 500


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/faults/U99/posts", "no fault U99"),
        ("/faults/U32-loop/telemetry", "U32-loop is a fault of /posts, not of /telemetry"),
        ("/faults/U1/", "nothing at / "),
        ("/faults/U1/posts/1", "nothing at /posts/1 "),
    ],
)
async def test_what_cannot_be_spoiled_is_explained(
    client: httpx.AsyncClient, path: str, why: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert why in answer.json()["error"]


async def test_knows_no_address_for_an_unknown_fault(upstream: SampleUpstream) -> None:
    with pytest.raises(LookupError, match="U99"):
        upstream.fault_url("U99")


async def test_a_fault_of_github_takes_any_repository(client: httpx.AsyncClient) -> None:
    known = await client.get("/faults/U38/repos/encode/httpx")
    unknown = await client.get("/faults/U38/repos/nobody/nothing")

    assert known.json()["full_name"] == "encode/httpx"
    assert unknown.json()["message"] == "Not Found"


# ---------------------------------------------------------------- what ends


async def test_stopping_the_server_ends_every_fault() -> None:
    played = [f"/faults/{name}{one.path}" for name in FAULTS for one in FAULTS[name].subjects]
    async with SampleUpstream() as upstream:
        streams = []
        for path in played:
            reader, writer = await asyncio.open_connection(*upstream.address)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            streams.append((reader, writer))
        await upstream.arrived(len(played))
        for _ in range(20):  # until it is in the middle of it
            await asyncio.sleep(0)

    assert asyncio.all_tasks() == {asyncio.current_task()}
    for reader, writer in streams:
        await _drain(reader, writer)
    # An unclosed transport is reported when it is collected, and pytest makes that a failure.
    gc.collect()


async def test_an_endless_fault_ends_when_its_client_leaves(upstream: SampleUpstream) -> None:
    tasks = asyncio.all_tasks()
    for name in ENDLESS:
        _, writer = await asyncio.open_connection(*upstream.address)
        writer.write(f"GET /faults/{name}/posts HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        await upstream.arrived(1)
        writer.transport.abort()
        upstream.forget()

    async with asyncio.timeout(PATIENCE_SECONDS):
        while asyncio.all_tasks() - tasks:
            await asyncio.sleep(0)


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
