"""Exports: the whole answer to a question, streamed in chunks."""

import asyncio
from contextlib import aclosing

from adapters.http.datasets.envelope import ReadRequest
from adapters.http.datasets.formats import chunk_of, first_line_of
from adapters.http.datasets.query_string import Format, ReadQuery
from adapters.http.protocol.asgi import Receive, Send, lines, until_gone


async def export(
    asked: ReadRequest,
    question: ReadQuery,
    format: Format,
    headers: dict[str, str],
    receive: Receive,
    send: Send,
) -> None:
    """Stream the answer; a failure midway breaks the connection, never the content."""
    send = until_gone(receive, send)
    name = f"{asked.dataset.name}.{format}"
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    start = {"type": "http.response.start", "status": 200, "headers": lines(headers)}
    if asked.scope["method"] == "HEAD":
        await send(start)
        await send({"type": "http.response.body", "body": b""})
        return
    body = first_line_of(asked.dataset, question.fields, format)
    async with aclosing(asked.query.walk(question.request, asked.role)) as chunks:
        async for rows in chunks:
            body += chunk_of(asked.dataset, rows, question.fields, format)
            if start:
                # Not before the first chunk is read: until then an error can still be told.
                await send(start)
                start = {}
            await send({"type": "http.response.body", "body": body, "more_body": True})
            body = b""
            await asyncio.sleep(0)  # others have their turn, also when the client takes all at once
    await send({"type": "http.response.body", "body": b""})
