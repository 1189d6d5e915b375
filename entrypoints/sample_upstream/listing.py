"""Correct answers for posts: filters and paging."""

from collections.abc import Iterator
from urllib.parse import urlencode

from entrypoints.sample_upstream.answers import answer_document
from entrypoints.sample_upstream.documents import encode, positive
from entrypoints.sample_upstream.exchange import Exchange
from entrypoints.sample_upstream.posts import Part, Selection

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
    part = exchange.state.collection(count).part(selection)
    await answer_document(exchange, part.document, list(paging_headers(exchange, selection, part)))


async def one_post(exchange: Exchange) -> None:
    """Answer `GET /posts/{id}`."""
    document = exchange.state.collection().one(exchange.request.path.rpartition("/")[2])
    if document is None:
        await exchange.answer(404, b"{}")
    else:
        await answer_document(exchange, document, [])


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
    """Return the URL of another page of the request."""
    request = exchange.request
    return f"{request.origin}{request.path}?{urlencode({**request.query, '_page': page})}"
