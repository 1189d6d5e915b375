"""Several processes with failures: a dependency is unavailable, or a process is stopped."""

import asyncio
import signal
from typing import Any

import asyncpg
import httpx

from entrypoints.sample_upstream import SampleUpstream
from tests.e2e.conftest import Start, ended, url_of
from tests.e2e.questions import NOBODY, asked, finished
from tests.services.proxy import Proxy, proxied


async def test_while_the_broker_is_away_tasks_are_accepted_and_run(
    start: Start, replicas: dict[str, str]
) -> None:
    url = await url_of(await start("serve", CATCHMENT_BROKER_URL=NOBODY))
    await start("worker", CATCHMENT_BROKER_URL=NOBODY)

    job = await finished(url)
    health = await asked(url, "/health")

    assert job["status"] == "succeeded"
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["queue"] == "queue_unavailable"


async def test_while_the_database_is_away_reads_say_so_at_once_and_the_process_lives(
    start: Start, replicas: dict[str, str]
) -> None:
    async with proxied(replicas["CATCHMENT_DATABASE_URL"]) as (proxy, through):
        url = await url_of(await start("serve", CATCHMENT_DATABASE_URL=through))
        assert (await asked(url, "/data")).status_code == 200
        proxy.refuse()
        proxy.cut()

        for path in ("/data", "/data?limit=7", "/health/ready", "/fetch/jobs"):
            away = await _within(2.0, asked(url, path))
            assert away.status_code == 503, path
            assert int(away.headers["retry-after"]) > 0
        task = await _within(2.0, asked(url, "/fetch?mode=task", "POST"))
        live = await asked(url, "/health/live")
        await _back(proxy, url)

    assert task.json()["code"] == "store_unavailable"
    assert live.status_code == 200


async def _within(seconds: float, asking: Any) -> httpx.Response:
    async with asyncio.timeout(seconds):
        answer: httpx.Response = await asking
        return answer


async def _back(proxy: Proxy, url: str) -> None:
    await proxy.accept()
    async with asyncio.timeout(10):
        while (await asked(url, "/data?limit=8")).status_code != 200:
            continue


async def test_health_is_shown_on_the_command_line_too(
    start: Start, replicas: dict[str, str]
) -> None:
    await ended(await start("migrate"))

    well = await ended(await start("health"))
    unwell = await ended(await start("health", CATCHMENT_BROKER_URL=NOBODY))

    assert (well[0], unwell[0]) == (0, 1)
    assert "database: connected\nqueue: connected\n" in well[1]
    assert "queue: the broker" in unwell[1]


async def test_a_password_is_in_nothing_that_is_said(
    start: Start, replicas: dict[str, str], broker: str
) -> None:
    secret = "sesame-open"
    wrong = broker.replace("guest:guest", f"guest:{secret}")
    process = await start("worker", CATCHMENT_BROKER_URL=wrong)
    assert process.stdout is not None
    said = [(await process.stdout.readline()).decode() for _ in range(2)]
    looked = await ended(await start("health", CATCHMENT_BROKER_URL=wrong))
    shown = await ended(await start("config", "check", CATCHMENT_BROKER_URL=wrong))
    process.send_signal(signal.SIGTERM)
    everything = "".join([*said, *(await ended(process))[1:], *looked[1:], *shown[1:]])

    assert "***" in everything
    assert secret not in everything


async def test_an_idempotency_key_makes_one_job_however_often_it_is_sent(
    start: Start, replicas: dict[str, str]
) -> None:
    urls = [await url_of(await start("serve")) for _ in range(2)]
    await start("worker")
    key = {"idempotency-key": "0123456789"}

    first = await asked(urls[0], "/fetch?mode=task", "POST", **key)
    await finished(urls[0])
    again = await asked(urls[1], "/fetch?mode=task", "POST", **key)

    assert first.json()["job_id"] == again.json()["job_id"]
    assert (again.status_code, again.content) == (first.status_code, first.content)


async def test_what_is_kept_survives_a_worker_that_was_stopped_for_too_long(
    start: Start, replicas: dict[str, str], upstream: SampleUpstream
) -> None:
    url = await url_of(await start("serve"))
    stopped = await start("worker")
    upstream.hold()
    job = (await asked(url, "/fetch?mode=task", "POST")).json()["job_id"]
    await upstream.arrived(1)
    stopped.send_signal(signal.SIGSTOP)
    upstream.release()
    await start("worker")
    await finished(url)
    before = await _written(replicas["CATCHMENT_DATABASE_URL"])

    stopped.send_signal(signal.SIGCONT)
    stopped.send_signal(signal.SIGTERM)
    code, _, _ = await ended(stopped)

    assert code == 0
    assert await _written(replicas["CATCHMENT_DATABASE_URL"]) == before
    assert (await asked(url, f"/fetch/status/{job}")).json()["attempts"] == 2


async def _written(database: str) -> Any:
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetch(
            "SELECT (SELECT count(*) FROM receipts), (SELECT max(seq) FROM datasets),"
            " (SELECT max(_changed_at) FROM d_posts), (SELECT max(finished_at) FROM jobs)"
        )
    finally:
        await connection.close()
