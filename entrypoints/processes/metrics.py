"""Metrics of the processes that have no HTTP API: a port of their own, if one is set."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running
from entrypoints.wiring.container import Container


@asynccontextmanager
async def running_with_metrics(settings: Settings) -> AsyncIterator[tuple[Container, str | None]]:
    """Yield a running container, and the URL at which its metrics are served, if they are."""
    if settings.metrics_port is None or settings.metrics == "off":
        async with running(settings) as container:
            yield container, None
        return
    # Only such a process needs the server.
    from entrypoints.processes.server import address_of, listen, serving

    with listen(settings.host, settings.metrics_port, "METRICS_PORT") as taken:
        async with running(settings) as container:
            async with serving(container.metrics_app(), taken):
                yield container, f"{address_of(taken)}/metrics"
