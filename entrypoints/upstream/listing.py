"""Answers for posts when nothing goes wrong: filters, paging, validators, compression."""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

from entrypoints.upstream.exchange import Exchange, http_date
from entrypoints.upstream.posts import Document, Part, Selection, encode, positive

MOST_COUNTED_POSTS = 1_000_000


async def list_posts(exchange: Exchange) -> None:
    """Answer `GET /posts`, with its filters and paging."""
    query = exchange.request.query
    count = positive(query.get("_count"))
    if count is not None and count > MOST_COUNTED_POSTS:
        explanation = {"error": f"_count may be at most {MOST_COUNTED_POSTS}."}
        await exchange.answer(400, encode(explanation))
        return
    selection = Selection.from_query(query)
    part = exchange.stage.collection(count).part(selection)
    await answer_document(exchange, part.document, list(paging_headers(exchange, selection, part)))


async def one_post(exchange: Exchange) -> None:
    """Answer `GET /posts/{id}`."""
    document = exchange.stage.collection().one(exchange.request.path.rpartition("/")[2])
    if document is None:
        await exchange.answer(404, b"{}")
    else:
        await answer_document(exchange, document, [])


async def answer_document(
    exchange: Exchange, document: Document, headers: list[tuple[str, str]]
) -> None:
    """Answer with a document: validators, 304 when the client has it, gzip when it may."""
    headers = [
        *headers,
        ("ETag", document.etag),
        ("Last-Modified", http_date(exchange.stage.last_modified_at)),
        ("Vary", "Accept-Encoding"),
    ]
    if is_current(exchange, document.etag):
        await exchange.answer(304, headers=headers)
    elif accepts_gzip(exchange):
        headers.append(("Content-Encoding", "gzip"))
        await exchange.answer(200, document.packed, headers, holds=True)
    else:
        await exchange.answer(200, document.body, headers, holds=True)


def accepts_gzip(exchange: Exchange) -> bool:
    """Whether the client takes gzip."""
    accepted = exchange.request.headers.get("accept-encoding", "")
    return re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", accepted) is not None


def is_current(exchange: Exchange, etag: str) -> bool:
    """Whether the client's validators say that it has this version."""
    headers = exchange.request.headers
    known = headers.get("if-none-match")
    if known is not None:
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        return "*" in tags or etag.removeprefix("W/") in tags
    since = headers.get("if-modified-since")
    return since is not None and _unchanged_since(exchange, since)


def paging_headers(
    exchange: Exchange, selection: Selection, part: Part
) -> Iterator[tuple[str, str]]:
    """Yield the total, and links to the first, previous, next and last page."""
    yield "X-Total-Count", str(part.total)
    if selection.page is None:
        return
    pages = {"first": 1, "prev": selection.page - 1, "next": selection.page + 1}
    pages["last"] = part.last_page
    links = [
        f'<{page_url(exchange, page)}>; rel="{relation}"'
        for relation, page in pages.items()
        if 1 <= page <= part.last_page
    ]
    yield "Link", ", ".join(links)


def page_url(exchange: Exchange, page: int) -> str:
    """The address of another page of what was requested."""
    request = exchange.request
    return f"{request.origin}{request.path}?{urlencode({**request.query, '_page': page})}"


def _unchanged_since(exchange: Exchange, text: str) -> bool:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return False
    return moment.tzinfo is not None and exchange.stage.last_modified_at <= moment
