"""Several processes over PostgreSQL and RabbitMQ: one accepts a job, another one runs it."""

import asyncio
import signal

from entrypoints.sample_upstream import SampleUpstream
from tests.e2e.conftest import Start, ended, url_of
from tests.e2e.questions import asked, finished

# ---------------------------------------------------------------- roles of processes


async def test_a_task_asked_for_at_one_api_is_run_by_a_worker_and_read_from_the_other_api(
    start: Start, replicas: dict[str, str], upstream: SampleUpstream
) -> None:
    first, second = await start("serve"), await start("serve")
    one, other = await url_of(first), await url_of(second)
    accepted = await asked(one, "/fetch?mode=task", "POST")
    untouched = upstream.count()
    await start("worker")

    job = await finished(other)
    status = await asked(other, accepted.headers["location"])
    page = await asked(other, "/data?user_id=1")

    assert accepted.status_code == 202
    assert untouched == 0
    assert job["status"] == "succeeded"
    assert status.json()["status"] == "succeeded"
    assert page.json()["count"] == 10
    assert (await asked(one, "/health")).json()["queue"] == "connected"


async def test_a_process_without_a_broker_does_all_of_it_on_either_database(
    start: Start, replicas: dict[str, str]
) -> None:
    process = await start("serve", CATCHMENT_BROKER_URL="")
    url = await url_of(process)

    assert (await finished(url))["counts"]["inserted"] == 100
    assert (await asked(url, "/health")).json()["queue"] == "embedded"


async def test_a_scheduler_has_due_datasets_fetched_by_a_worker(
    start: Start, replicas: dict[str, str], upstream: SampleUpstream
) -> None:
    await start("worker")
    await start("scheduler", CATCHMENT_FETCH_EVERY="1s")

    async with asyncio.timeout(30):
        await upstream.arrived(2)


async def test_many_who_ask_at_once_get_one_job_and_one_run(
    start: Start, replicas: dict[str, str], upstream: SampleUpstream
) -> None:
    url = await url_of(await start("serve"))
    await start("worker")
    upstream.hold()

    asking = [asked(url, "/fetch?mode=task", "POST") for _ in range(50)]
    jobs = {answer.json()["job_id"] for answer in await asyncio.gather(*asking)}
    upstream.release()
    await finished(url)

    assert len(jobs) == 1


async def test_several_processes_migrate_an_empty_database_at_once(
    start: Start, replicas: dict[str, str]
) -> None:
    processes = [await start("migrate") for _ in range(4)]
    ends = await asyncio.gather(*map(ended, processes))

    assert [code for code, _, _ in ends] == [0] * 4
    assert sum("system tables: none" in out for _, out, _ in ends) == 1


# ---------------------------------------------------------------- stopping


async def test_a_stopping_worker_ends_its_job_first(
    start: Start, replicas: dict[str, str], upstream: SampleUpstream
) -> None:
    url = await url_of(await start("serve"))
    worker = await start("worker")
    upstream.hold()
    job = (await asked(url, "/fetch?mode=task", "POST")).json()["job_id"]
    await upstream.arrived(1)

    worker.send_signal(signal.SIGTERM)
    upstream.release()
    code, _, err = await ended(worker)

    assert code == 0
    assert "Traceback" not in err
    assert (await asked(url, f"/fetch/status/{job}")).json()["status"] == "succeeded"


async def test_a_killed_workers_job_is_run_by_another(
    start: Start, replicas: dict[str, str], upstream: SampleUpstream
) -> None:
    url = await url_of(await start("serve"))
    unlucky = await start("worker")
    upstream.hold()
    job = (await asked(url, "/fetch?mode=task", "POST")).json()["job_id"]
    await upstream.arrived(1)
    await start("worker")

    unlucky.kill()
    upstream.release()
    again = await finished(url)
    status = (await asked(url, f"/fetch/status/{job}")).json()

    assert again["status"] == status["status"] == "succeeded"
    assert status["attempts"] == 2


async def test_a_stopping_api_is_not_ready_before_it_ends(
    start: Start, replicas: dict[str, str]
) -> None:
    process = await start("serve")
    url = await url_of(process)
    assert (await asked(url, "/health/ready")).status_code == 200

    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        while (ready := await asked(url, "/health/ready")).status_code == 200:
            continue
    live = await asked(url, "/health/live")
    code, _, err = await ended(process)

    assert ready.status_code == 503
    assert live.status_code == 200
    assert (code, "Traceback" in err) == (0, False)
