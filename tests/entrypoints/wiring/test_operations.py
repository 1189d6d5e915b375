"""Traces are an extra: nothing of it is imported where it is off, and its absence is named."""

import subprocess
import sys
from pathlib import Path

from adapters.system.otel import OtelTracer
from adapters.system.traces import NoTracer
from entrypoints.config.loading import load
from entrypoints.wiring.operations import tracer_of

ROOT = Path(__file__).parents[3]
URL = "http://127.0.0.1:4318/v1/traces"
PROGRAM = """
import sys
from entrypoints.config.loading import load
from entrypoints.config.settings import InvalidSetting
from entrypoints.processes import api, scheduler, worker
from entrypoints.wiring.container import Container

container = Container(settings=load({}), database_id="x")
container.app()
container.worker()
container.scheduler()
# Litestar looks whether there are the words its own plugin would need.
words = ("opentelemetry", "opentelemetry.semconv")
found = [name for name in sys.modules if name.startswith("opentelemetry")]
print([name for name in found if name not in words and not name.startswith(words[1] + ".")])
sys.modules["opentelemetry"] = None
try:
    Container(settings=load({"CATCHMENT_TRACES_URL": "http://127.0.0.1:4318/"})).tracer()
except InvalidSetting as error:
    print(error)
"""


def test_nothing_is_imported_while_traces_are_off_and_a_missing_extra_is_named(
    tmp_path: Path,
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert told == [
        "[]",
        "CATCHMENT_TRACES_URL needs OpenTelemetry; install it with: pip install"
        " 'catchment[otel]', or leave the setting empty",
    ]


def test_the_setting_chooses_who_records() -> None:
    without, traced = tracer_of(load({})), tracer_of(load({"CATCHMENT_TRACES_URL": URL}))
    traced.close()

    assert isinstance(without, NoTracer)
    assert isinstance(traced, OtelTracer)


def test_where_nothing_is_recorded_there_is_nothing_to_continue() -> None:
    tracer = NoTracer()

    with tracer.span("outer") as span:
        span.rename("other")
        span.note({"a": 1})
        assert tracer.traceparent() is None
    tracer.close()
