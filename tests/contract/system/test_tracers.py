"""Contract of `Tracer` and `Span`: which trace a span belongs to, and what it says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.memory.operations import MemoryTracer
from adapters.system.otel import OtelTracer
from application.ports.operations import SpanKind, Tracer

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Seen(NamedTuple):
    """A span as a test sees it."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str | int]
    failed: bool


class Traced(NamedTuple):
    """A tracer, and the spans it has recorded, by the order of their beginnings."""

    tracer: Tracer
    spans: Callable[[], list[Seen]]


@contextmanager
def in_memory() -> Iterator[Traced]:
    """The tracer of tests."""
    tracer = MemoryTracer()

    def spans() -> list[Seen]:
        return [
            Seen(s.name, s.kind, s.trace, s.id, s.parent, s.attributes, s.error is not None)
            for s in tracer.spans
        ]

    yield Traced(tracer, spans)


@contextmanager
def by_opentelemetry() -> Iterator[Traced]:
    """That of OpenTelemetry, exporting into memory."""
    exporter = InMemorySpanExporter()
    tracer = OtelTracer(exporter, "1")

    def spans() -> list[Seen]:
        tracer.close()
        found = sorted(exporter.get_finished_spans(), key=lambda span: span.start_time or 0)
        return [
            Seen(
                span.name,
                span.kind.name.lower(),
                f"{span.context.trace_id:032x}",
                f"{span.context.span_id:016x}",
                f"{span.parent.span_id:016x}" if span.parent else "",
                dict(span.attributes or {}),  # type: ignore[arg-type]
                not span.status.is_ok,
            )
            for span in found
        ]

    yield Traced(tracer, spans)


@pytest.fixture(params=[in_memory, by_opentelemetry], ids=["memory", "opentelemetry"])
def traced(request: pytest.FixtureRequest) -> Iterator[Traced]:
    with request.param() as made:
        yield made


def test_a_span_within_another_belongs_to_its_trace(traced: Traced) -> None:
    with traced.tracer.span("outer", SpanKind.SERVER):
        with traced.tracer.span("inner", SpanKind.CLIENT):
            pass
        with traced.tracer.span("next"):
            pass

    outer, inner, following = traced.spans()
    assert [span.name for span in (outer, inner, following)] == ["outer", "inner", "next"]
    assert [span.kind for span in (outer, inner, following)] == ["server", "client", "internal"]
    assert {span.trace for span in (outer, inner, following)} == {outer.trace}
    assert (outer.parent, inner.parent, following.parent) == ("", outer.id, outer.id)


def test_spans_one_after_another_are_traces_of_their_own(traced: Traced) -> None:
    for name in ("one", "two"):
        with traced.tracer.span(name):
            pass

    one, two = traced.spans()
    assert one.trace != two.trace


def test_a_trace_is_continued_by_what_names_it_elsewhere(traced: Traced) -> None:
    with traced.tracer.span("here"):
        named = traced.tracer.traceparent()
    with traced.tracer.span("there", parent=named):
        pass

    here, there = traced.spans()
    assert named is not None
    assert named[:-2] == f"00-{here.trace}-{here.id}-"  # then come flags
    assert (there.trace, there.parent) == (here.trace, here.id)


def test_a_parent_counts_more_than_the_current_span(traced: Traced) -> None:
    with traced.tracer.span("outer"), traced.tracer.span("inner", parent=PARENT):
        pass

    _, inner = traced.spans()
    assert (inner.trace, inner.parent) == (TRACE, PARENT_ID)


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        PARENT.upper(),
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        PARENT[:-1],
        "\xff" * 55,
        "00-" * 20_000,
    ],
)
def test_a_parent_that_is_none_begins_a_new_trace(traced: Traced, parent: str) -> None:
    with traced.tracer.span("one", parent=parent):
        pass

    [span] = traced.spans()
    assert span.parent == ""
    assert span.trace not in (TRACE, "0" * 32)


def test_outside_of_spans_there_is_nothing_to_name(traced: Traced) -> None:
    before = traced.tracer.traceparent()
    with traced.tracer.span("one"):
        pass

    assert (before, traced.tracer.traceparent()) == (None, None)


def test_a_span_has_its_last_name_and_all_attributes(traced: Traced) -> None:
    with traced.tracer.span("GET", attributes={"url.path": "/data", "n": 1}) as span:
        span.rename("GET /data")
        span.note({"http.response.status_code": 200, "n": 2})

    [seen] = traced.spans()
    assert seen.name == "GET /data"
    assert seen.attributes == {"url.path": "/data", "n": 2, "http.response.status_code": 200}


def test_an_error_marks_every_span_it_leaves_and_goes_on(traced: Traced) -> None:
    with pytest.raises(ZeroDivisionError):
        with traced.tracer.span("outer"):
            with traced.tracer.span("inner"):
                raise ZeroDivisionError("a secret")
    with traced.tracer.span("after"):
        pass

    seen = traced.spans()
    assert [span.failed for span in seen] == [True, True, False]
    assert "a secret" not in str(seen)
    assert seen[2].parent == ""
