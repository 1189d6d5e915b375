"""Traces: a job continues that of its request, wherever it runs."""

from application.jobs.worker import RunJob
from domain.errors import SourceUnavailable
from domain.jobs import Mode
from tests.application.rig import Rig, posts


async def test_a_job_and_its_merge_belong_to_the_trace_in_which_it_was_requested(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    with rig.tracer.span("POST /fetch"):
        named = rig.tracer.traceparent()
        started = await fetch.start()
    # A worker knows of the request only what the row says.
    await RunJob(rig.registry(fetch), rig.job_backend)(started.job.id)

    request, job, merge = rig.tracer.spans
    assert started.job.traceparent == named
    assert [span.name for span in rig.tracer.spans] == ["POST /fetch", "job", "merge"]
    assert {span.trace for span in rig.tracer.spans} == {request.trace}
    assert (job.parent, merge.parent) == (request.id, job.id)
    assert job.attributes == {
        "catchment.dataset": "posts",
        "catchment.job": started.job.id,
        "catchment.mode": "task",
        "catchment.status": "succeeded",
    }
    assert merge.attributes == {"catchment.dataset": "posts", "catchment.source": "one"}


async def test_a_job_of_a_schedule_is_a_trace_of_its_own(rig: Rig) -> None:
    fetch = rig.fetch(rig.source("one", posts(1)))
    job = await rig.queued(Mode.SCHEDULE)

    await RunJob(rig.registry(fetch), rig.job_backend)(job.id)

    assert job.traceparent is None
    assert [(span.name, bool(span.parent)) for span in rig.tracer.spans] == [
        ("job", False),
        ("merge", True),
    ]


async def test_a_job_that_fails_says_so_in_its_span(rig: Rig) -> None:
    source = rig.source("one")
    source.failure = SourceUnavailable("no answer")

    await rig.fetch(source)()

    [job] = rig.tracer.spans
    assert job.attributes["catchment.status"] == "failed"
    assert job.error is None
