"""Traces by OpenTelemetry; imported only where they are wanted, because it is an extra."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter as SpanExporter
from opentelemetry.trace import SpanKind as OtelKind
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from application.ports.operations import NO_ATTRIBUTES, Attributes, Span, SpanKind, Tracer

_KINDS = {
    SpanKind.INTERNAL: OtelKind.INTERNAL,
    SpanKind.SERVER: OtelKind.SERVER,
    SpanKind.CLIENT: OtelKind.CLIENT,
    SpanKind.CONSUMER: OtelKind.CONSUMER,
}
_TRACEPARENT = "traceparent"
_W3C = TraceContextTextMapPropagator()


def exporter_to(url: str) -> SpanExporter:
    """Return the exporter that sends spans to a collector, by OTLP over HTTP."""
    return OTLPSpanExporter(endpoint=url)


class _OtelSpan(Span):
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        """Change the name."""
        self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)


class OtelTracer(Tracer):
    """Records spans with the SDK of OpenTelemetry, and exports them from a thread of its own.

    The SDK reads its own variables, such as `OTEL_TRACES_SAMPLER`.
    """

    def __init__(self, exporter: SpanExporter, version: str) -> None:
        resource = Resource.create({"service.name": "catchment", "service.version": version})
        # Stopped by `close`: by an exit handler it would be stopped after the loop.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("catchment", version)

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = NO_ATTRIBUTES,
        parent: str | None = None,
    ) -> Iterator[Span]:
        """Record the block as a span within the current one, or within a parent."""
        context = None if parent is None else _W3C.extract({_TRACEPARENT: parent}, Context())
        # The text of an error may hold what a collector need not know: its kind is enough.
        with self._tracer.start_as_current_span(
            name,
            context,
            _KINDS[kind],
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield _OtelSpan(span)
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def traceparent(self) -> str | None:
        """Return the current span as W3C Trace Context names it."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get(_TRACEPARENT)

    def close(self) -> None:
        """Export what was recorded, and stop; it may take seconds."""
        self._provider.shutdown()
