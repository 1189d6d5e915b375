"""Jobs: how many run per second from request to end, through either queue."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

from tests.bench.bench import Bench, catchment, get, post
from tests.bench.figures import Figure
from tests.bench.processes import LOAD_CORE, SERVER_CORE, Running, launch
from tests.services.rabbitmq import RabbitNode, program

_ENDED = ("succeeded", "partial", "failed", "cancelled")


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield jobs per second, of ten records each, one after the other, as a client sees them."""
    for engine in bench.engines:
        url = bench.databases.make(engine)
        bench.say(f"jobs through the embedded queue on {engine}")
        with bench.service(url) as service:
            yield Figure(f"jobs/{engine}/embedded queue", _rate(bench, service), "jobs/s")
    if "postgres" not in bench.engines or program() is None:
        bench.say(
            "RabbitMQ is not installed, so its row is left out; rabbitmq-server is its package"
        )
        return
    bench.say("jobs through RabbitMQ")
    with ExitStack() as stack:
        broker = {"CATCHMENT_BROKER_URL": _broker(stack)}
        url = bench.databases.make("postgres")
        service = stack.enter_context(bench.service(url, **broker))
        settings = {**bench.settings(url), **broker}
        worker = launch(
            catchment("worker"), settings, bench.folder, 0, f"{SERVER_CORE},{LOAD_CORE}"
        )
        stack.callback(worker.process.wait)
        stack.callback(worker.process.terminate)
        yield Figure("jobs/postgres/RabbitMQ and a worker", _rate(bench, service), "jobs/s")


def _rate(bench: Bench, service: Running) -> float:
    bench.steer(count=10)
    _one(service)  # the first one opens connections
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < bench.scale.jobs_s:
        _one(service)
        done += 1
    return done / (time.perf_counter() - began)


def _one(service: Running) -> None:
    path = post(service.url + "/fetch/posts?mode=task")["status_url"]
    while True:
        job = get(service.url + path)
        if job["status"] in _ENDED:
            break
        time.sleep(0.001)
    if job["status"] != "succeeded":
        raise RuntimeError(f"a job did not succeed: {job}")


def _broker(stack: ExitStack) -> str:
    node = RabbitNode(Path(mkdtemp(prefix="catchment-bench-rabbitmq-")))
    node.start()
    stack.callback(node.kill)
    return node.url
