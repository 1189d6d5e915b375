"""The commands, started as a user starts them."""

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path
from typing import Any

import httpx

from entrypoints.sample_upstream import SampleUpstream
from tests.e2e.conftest import COMMAND, Start, ended, url_of


async def test_serve_answers_fetches_on_start_and_drains_on_sigterm(
    start: Start, upstream: SampleUpstream
) -> None:
    process = await start("serve")
    url = await url_of(process)

    # A fetch asked for now joins the one of the start, or finds it done.
    fetched = await _json("POST", url + "/fetch")
    page = await _json("GET", url + "/data?user_id=1")
    process.send_signal(signal.SIGTERM)
    code, _, err = await ended(process)

    assert fetched["counts"]["inserted"] == 100
    assert page["count"] == 10
    assert code == 0
    assert "Traceback" not in err
    assert upstream.count("/posts") == 1


async def test_serve_ends_what_it_is_answering_before_it_stops(
    start: Start, upstream: SampleUpstream
) -> None:
    upstream.hold()
    process = await start("serve", CATCHMENT_FETCH_ON_START="false")
    url = await url_of(process)
    asking = asyncio.create_task(_json("POST", url + "/fetch"))
    await upstream.arrived(1)

    process.send_signal(signal.SIGTERM)
    upstream.release()
    fetched = await asking
    code, _, _ = await ended(process)

    assert fetched["outcome"] == "changed"
    assert code == 0


async def test_data_survives_a_restart(start: Start) -> None:
    first = await start("fetch", "posts")
    assert (await ended(first))[0] == 0

    process = await start("serve", CATCHMENT_FETCH_ON_START="false", CATCHMENT_FETCH_EVERY="off")
    page = await _json("GET", await url_of(process) + "/data?limit=1&count=exact")

    assert page["page"]["total"] == 100


async def test_serve_without_an_upstream_says_so_once_and_serves(start: Start) -> None:
    process = await start("serve", CATCHMENT_POSTS_URL="http://127.0.0.1:9/posts")
    url = await url_of(process)

    problem = await _json("POST", url + "/fetch", status=503)
    page = await _json("GET", url + "/data")
    process.send_signal(signal.SIGINT)
    code, _, err = await ended(process)

    assert problem["code"] == "source_unavailable"
    assert page["data"] == []
    assert page["stale"] is True
    assert err.count("catchment demo") == 1
    assert code == 0


async def test_a_port_that_is_taken_is_one_clear_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await start("serve", CATCHMENT_PORT=str(taken.getsockname()[1]))
        code, _, err = await ended(process)

    assert code == 1
    assert err.count("\n") == 1
    assert "CATCHMENT_PORT" in err


async def test_a_bad_setting_stops_every_command_with_one_clear_line(start: Start) -> None:
    for command in (("serve",), ("fetch", "posts"), ("migrate",), ("config", "check")):
        process = await start(*command, CATCHMENT_MIN_FETCH_INTERVAL="soon")
        code, _, err = await ended(process)

        assert code == 1
        assert err == (
            "Error: CATCHMENT_MIN_FETCH_INTERVAL is 'soon':"
            " expected a duration such as 30s, 15m, 2h or 1d\n"
        )


async def test_fetch_prints_what_became_of_the_records(start: Start) -> None:
    first = await ended(await start("fetch", "posts"))
    second = await ended(await start("fetch", "posts"))
    third = await ended(await start("fetch", "posts", "--force"))

    assert first[0] == second[0] == third[0] == 0
    assert "100 inserted" in first[1]
    assert "fresh" in second[1]
    assert "nothing has changed" in third[1]


async def test_fetch_shows_examples_of_rejected_records(
    start: Start, upstream: SampleUpstream
) -> None:
    process = await start("fetch", "posts", CATCHMENT_POSTS_URL=upstream.fault_url("U28-null"))
    code, out, _ = await ended(process)

    assert code == 0
    assert "10 quarantined" in out
    assert "/userId" in out or "/title" in out or "null" in out


async def test_a_failed_fetch_exits_with_one_and_says_why(
    start: Start, upstream: SampleUpstream
) -> None:
    process = await start("fetch", "posts", CATCHMENT_POSTS_URL=upstream.fault_url("U7-404"))
    code, out, _ = await ended(process)

    assert code == 1
    assert "failed" in out
    assert "404" in out


async def test_an_unknown_dataset_is_refused(start: Start) -> None:
    code, _, err = await ended(await start("fetch", "rivers"))

    assert code == 1
    assert "the datasets are: posts" in err


async def test_fetch_shows_progress_on_a_terminal(tmp_path: Path, settings: dict[str, str]) -> None:
    primary, secondary = os.openpty()
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "fetch",
        "posts",
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=secondary,
    )
    os.close(secondary)
    shown = await asyncio.to_thread(_read_all, primary)
    out, _ = await process.communicate()

    assert b"fetching posts" in shown
    assert b"100 inserted" in out


async def test_migrate_twice_says_what_it_did_and_then_that_nothing_is_left(start: Start) -> None:
    first = await ended(await start("migrate"))
    second = await ended(await start("migrate"))

    assert "system tables: none -> " in first[1]
    assert "system tables" not in second[1]
    assert "up to date" in second[1]


async def test_prune_says_what_it_removed_and_then_that_nothing_is_left(start: Start) -> None:
    for _ in range(2):
        assert (await ended(await start("fetch", "posts", "--force")))[0] == 0
    first = await ended(await start("prune", CATCHMENT_KEEP_JOBS="0.001s"))
    second = await ended(await start("prune", CATCHMENT_KEEP_JOBS="0.001s"))

    assert first[:2] == (0, "jobs: 1 removed\n")
    assert second[:2] == (0, "Nothing has expired.\n")


async def test_several_processes_may_start_on_a_new_database_at_once(start: Start) -> None:
    processes = [await start("migrate") for _ in range(4)]
    results = [await ended(process) for process in processes]

    assert [code for code, _, _ in results] == [0, 0, 0, 0]
    assert sum("system tables" in out for _, out, _ in results) == 1


async def test_config_check_shows_every_setting_and_no_secret(start: Start) -> None:
    secret = "a-secret-that-nobody-may-ever-read"
    hook = f"https://hooks.example/{secret}?key={secret}"
    process = await start("config", "check", CATCHMENT_SECRET_KEY=secret, CATCHMENT_ALERT_URL=hook)
    code, out, err = await ended(process)

    assert code == 0
    assert "CATCHMENT_POSTS_URL" in out
    assert "times a month" in out
    assert secret not in out + err


async def test_an_unknown_setting_warns_with_the_nearest_name(start: Start) -> None:
    code, _, err = await ended(await start("migrate", CATCHMENT_FETCH_EVRY="1m"))

    assert code == 0
    assert "did you mean CATCHMENT_FETCH_EVERY?" in err


async def test_the_demo_shows_a_fetch_a_filter_a_304_and_a_fresh_answer(start: Start) -> None:
    code, out, err = await ended(await start("demo", "--once", "--port", "0"))

    assert (code, err) == (0, "")
    assert "changed: 100 received, 100 inserted" in out
    assert "10 posts by user 1" in out
    assert "the response was 304" in out
    assert "requests to the upstream: 0" in out


async def test_the_sample_upstream_answers(start: Start) -> None:
    process = await start("upstream", "--port", "0")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        lines = [(await process.stdout.readline()).decode().strip() for _ in range(7)]
    url = lines[0].split(" at ")[1].split()[0]
    settings = dict(line.split("=") for line in lines[2:])

    posts = await _json("GET", settings["CATCHMENT_POSTS_URL"])
    tickers = await _json("GET", settings["CATCHMENT_COINPAPRIKA_URL"])
    facts = await _json("GET", settings["CATCHMENT_GITHUB_URL"] + "/repos/python/cpython")

    assert settings["CATCHMENT_POSTS_URL"] == url + "/posts"
    assert (len(posts), len(tickers), facts["name"]) == (100, 50, "cpython")


async def _json(method: str, url: str, status: int = 200) -> Any:
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.request(method, url)
    assert answer.status_code == status
    return answer.json()


def _read_all(descriptor: int) -> bytes:
    read = b""
    with contextlib.suppress(OSError):  # a terminal without input
        while chunk := os.read(descriptor, 65536):
            read += chunk
    os.close(descriptor)
    return read
