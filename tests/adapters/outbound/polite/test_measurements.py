"""What the client measures: every request with its status, and every wait, by the host."""

from datetime import timedelta

import pytest

from adapters.memory.operations import MemoryTracer
from adapters.outbound.polite.urls import parse
from domain.errors import SourceError
from domain.events import UpstreamAsked, UpstreamWaited
from domain.politeness import Rate
from domain.reports import Traffic
from tests.adapters.outbound.client_fixture import ClientFixture, Failed, open_client


async def outcome(fixture: ClientFixture, fault: str) -> Failed | None:
    """Ask, and return how that failed, if it did."""
    try:
        await fixture.get(fault)
    except SourceError as error:
        return Failed(error, Traffic(), 0.0)
    return None


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [("/posts", [200]), ("U7-404", [404]), ("U1-503", [503] * 4), ("U20-close", [0] * 4)],
)
async def test_every_try_is_measured_with_the_status_that_came(
    fixture: ClientFixture, fault: str, statuses: list[int]
) -> None:
    await outcome(fixture, fault)

    asked = fixture.events.of(UpstreamAsked)
    assert [(event.host, event.status) for event in asked] == [
        (fixture.key, status) for status in statuses
    ]
    assert all(event.duration_ms >= 0 for event in asked)


async def test_a_wait_for_permission_and_one_before_a_retry_are_measured() -> None:
    async with open_client(rate=Rate(1, 1.0)) as fixture:
        await fixture.get("/posts")
        await fixture.get("/posts")

        [waited] = fixture.events.of(UpstreamWaited)
        assert waited.host == fixture.key
        assert waited.duration_ms == pytest.approx(1050, abs=2)

    async with open_client() as fixture:
        await outcome(fixture, "U1-503")

        waits = fixture.events.of(UpstreamWaited)
        assert [event.host for event in waits] == [fixture.key] * 3


async def test_an_alert_that_is_sent_is_measured_like_a_question(fixture: ClientFixture) -> None:
    until = fixture.clock.now() + timedelta(seconds=10)

    with pytest.raises(SourceError):
        await fixture.client.post(parse(fixture.url("/posts")), b"{}", until, Traffic())

    assert [event.status for event in fixture.events.of(UpstreamAsked)] == [405]


async def test_a_request_within_a_trace_is_a_span_that_its_upstream_can_continue() -> None:
    tracer = MemoryTracer()
    async with open_client(tracer=tracer) as fixture:
        with tracer.span("job"):
            await outcome(fixture, "/posts")
            await outcome(fixture, "U7-404")
        heard = [request.headers["traceparent"] for request in fixture.upstream.requests]

    job, good, bad = tracer.spans
    assert heard == [f"00-{job.trace}-{span.id}-01" for span in (good, bad)]
    assert (good.name, good.parent, bad.parent) == ("GET", job.id, job.id)
    assert [span.attributes["http.response.status_code"] for span in (good, bad)] == [200, 404]
    assert good.attributes["server.address"] == fixture.key
