"""P37: a trace leads from a request through the job in another process to the upstream.

A collector of our own receives what the processes export by OTLP, and the sample upstream says
which trace the requests it got belong to.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.prove.clients import client, until
from tests.prove.crew import crew
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

REQUESTS = 10
#: What one fetch consists of, each within the one before but for the last two, which are siblings.
SPANS = ("POST /fetch/{dataset}", "job", "GET", "merge")


class Exported(NamedTuple):
    """A span as it was exported."""

    name: str
    trace: str
    id: str
    parent: str


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[str, list[Exported]]]:
    """A server that takes spans by OTLP over HTTP: its URL, and what it has got."""
    got: list[Exported] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").lower().split("\r\n")
                [size] = [int(line[15:]) for line in lines if line.startswith("content-length:")]
                message = ExportTraceServiceRequest.FromString(await reader.readexactly(size))
                got.extend(
                    Exported(s.name, s.trace_id.hex(), s.span_id.hex(), s.parent_span_id.hex())
                    for resource in message.resource_spans
                    for scope in resource.scope_spans
                    for s in scope.spans
                )
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the process has ended
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1/traces", got


async def prove(servers: Servers) -> Figure:
    """Ask for fetches that a worker runs, each in a trace of the client, and look for the spans."""
    traces = [f"{number:032x}" for number in range(1, REQUESTS + 1)]
    async with collector() as (url, got):
        more = {"CATCHMENT_TRACES_URL": url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        async with crew(**await servers.settings(), **more) as hired:
            api = await hired.api()
            await hired.worker()
            for generation, trace in enumerate(traces, 1):
                hired.upstream.revise(generation)  # so that there is something to merge
                await _fetched(api.url, trace)
            upstream = [r.headers.get("traceparent", "") for r in hired.upstream.requests]

            async def is_whole() -> bool:
                return sum(span.trace in traces for span in got) >= REQUESTS * len(SPANS)

            await until(is_whole, 20)
    whole = sum(_is_whole(trace, got, upstream) for trace in traces)
    return reported(
        "P37", f"whole:{whole}/{REQUESTS}", "whole:all", whole == REQUESTS, spans=len(got)
    )


async def _fetched(url: str, trace: str) -> None:
    async with client(url, seconds=30) as asking:
        headers = {"traceparent": f"00-{trace}-00000000000000aa-01"}
        job = (await asking.post("/fetch/posts?mode=task", headers=headers)).json()
        while (await asking.get(job["status_url"])).json()["status"] in ("queued", "running"):
            await asyncio.sleep(0.05)


def _is_whole(trace: str, got: list[Exported], upstream: list[str]) -> bool:
    """Return whether a trace has its nested spans, and its upstream got its context."""
    spans = {span.name: span for span in got if span.trace == trace}
    asked = spans.get("GET")
    return (
        spans.keys() >= {*SPANS}
        and spans["job"].parent == spans[SPANS[0]].id
        and asked is not None
        and asked.parent == spans["merge"].parent == spans["job"].id
        and any(asked.id in traceparent and trace in traceparent for traceparent in upstream)
    )
