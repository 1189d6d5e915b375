"""Exports: the whole answer to a query, streamed in chunks."""

import asyncio
from contextlib import aclosing
from typing import Any

from adapters.http.datasets.formats import encode_chunk, first_line
from adapters.http.datasets.query_string import ReadQuery, ReadRequest
from adapters.http.protocol.asgi import Line, Receive, Send, until_gone
from application.datasets.query import Reader

#: In the scope once an export is being sent: then nothing else can answer its request.
BEGUN = "catchment.export_begun"


async def send_export(
    request: ReadRequest,
    reader: Reader[Any],
    query: ReadQuery,
    lines: tuple[Line, ...],
    receive: Receive,
    send: Send,
) -> None:
    """Stream the answer; a failure midway breaks the connection, never the content."""
    send = until_gone(receive, send)
    dataset, format = reader.dataset, query.format
    name = f'attachment; filename="{dataset.name}.{format}"'
    headers = [*lines, (b"content-disposition", name.encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    if request.scope["method"] == "HEAD":
        await send(start)
        await send({"type": "http.response.body", "body": b""})
        return
    body = first_line(dataset, query.fields, format)
    async with aclosing(reader.walk(query.request)) as chunks:
        async for rows in chunks:
            body += encode_chunk(dataset, rows, query.fields, format)
            if start:
                # Not before the first chunk is read: until then an error can still be answered.
                request.scope[BEGUN] = True
                await send(start)
                start = {}
            await send({"type": "http.response.body", "body": body, "more_body": True})
            body = b""
            await asyncio.sleep(0)  # others have their turn, also when the client takes all at once
    await send({"type": "http.response.body", "body": b""})
