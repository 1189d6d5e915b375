"""Traces where none are wanted: spans that cost nothing and are kept nowhere."""

from contextlib import AbstractContextManager, nullcontext

from application.ports.operations import NO_ATTRIBUTES, Attributes, Span, SpanKind, Tracer


class _NoSpan(Span):
    def rename(self, name: str) -> None:
        """Do nothing."""

    def note(self, attributes: Attributes) -> None:
        """Do nothing."""


_NO_SPAN: AbstractContextManager[Span] = nullcontext(_NoSpan())


class NoTracer(Tracer):
    """Records nothing."""

    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = NO_ATTRIBUTES,
        parent: str | None = None,
    ) -> AbstractContextManager[Span]:
        """Return a block that is not recorded."""
        return _NO_SPAN

    def traceparent(self) -> str | None:
        """Return None."""
        return None

    def close(self) -> None:
        """Do nothing."""
