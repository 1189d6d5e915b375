"""Exports: all records that match a query, streamed in chunks."""

import asyncio
from contextlib import aclosing
from typing import Any

from adapters.http.datasets.formats import encode_chunk, first_line
from adapters.http.datasets.query_string import ReadQuery
from adapters.http.protocol.asgi import Line, Receive, Scope, Send, until_gone
from adapters.http.protocol.compression import ENCODED, gzip_stream, wants_gzip
from application.datasets.query import Reader

#: Set in the scope once an export has begun, so that nothing else can be answered.
BEGUN = "catchment.export_begun"


async def send_export(
    scope: Scope,
    reader: Reader[Any],
    query: ReadQuery,
    lines: tuple[Line, ...],
    receive: Receive,
    send: Send,
) -> None:
    """Send an export; a failure midway breaks the connection, so that it cannot look complete."""
    send = until_gone(receive, send)
    dataset = reader.dataset
    name = f'attachment; filename="{dataset.name}.{query.format}"'
    headers = [*lines, (b"content-disposition", name.encode())]
    is_packed = wants_gzip(scope)
    if is_packed:
        headers.append(ENCODED)
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    if scope["method"] == "HEAD":
        await send(start)
        await send({"type": "http.response.body", "body": b""})
        return
    if is_packed:
        send = gzip_stream(send)
    body = first_line(dataset, query)
    async with aclosing(reader.walk(query.request, query.most)) as chunks:
        async for rows in chunks:
            body += encode_chunk(dataset, rows, query)
            if start:
                # Until the first chunk is read, an error can still be answered.
                scope[BEGUN] = True
                await send(start)
                start = {}
            await send({"type": "http.response.body", "body": body, "more_body": True})
            body = b""
            await asyncio.sleep(0)  # let other tasks run, however fast the client reads
    await send({"type": "http.response.body", "body": b""})
