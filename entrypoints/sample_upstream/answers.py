"""Correct answers with a document: validators, 304, compression."""

import re
from email.utils import parsedate_to_datetime

from entrypoints.sample_upstream.documents import Document
from entrypoints.sample_upstream.exchange import JSON, Exchange, http_date


async def answer_document(
    exchange: Exchange,
    document: Document,
    headers: list[tuple[str, str]],
    content_type: str = JSON,
) -> None:
    """Answer with a document, with 304 if the client has it, with gzip if it accepts that."""
    headers = [
        *headers,
        ("ETag", document.etag),
        ("Last-Modified", http_date(exchange.state.last_modified_at)),
        ("Vary", "Accept-Encoding"),
    ]
    if is_current(exchange, document.etag):
        await exchange.answer(304, headers=headers)
    elif accepts_gzip(exchange):
        headers.append(("Content-Encoding", "gzip"))
        await exchange.answer(200, document.packed, headers, content_type, holds=True)
    else:
        await exchange.answer(200, document.body, headers, content_type, holds=True)


def accepts_gzip(exchange: Exchange) -> bool:
    """Return whether the client accepts gzip."""
    accepted = exchange.request.headers.get("accept-encoding", "")
    return re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", accepted) is not None


def is_current(exchange: Exchange, etag: str) -> bool:
    """Return whether the client's validators match this version."""
    headers = exchange.request.headers
    known = headers.get("if-none-match")
    if known is not None:
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        return "*" in tags or etag.removeprefix("W/") in tags
    since = headers.get("if-modified-since")
    return since is not None and _unchanged_since(exchange, since)


def _unchanged_since(exchange: Exchange, text: str) -> bool:
    try:
        time = parsedate_to_datetime(text)
    except ValueError:
        return False
    return time.tzinfo is not None and exchange.state.last_modified_at <= time
