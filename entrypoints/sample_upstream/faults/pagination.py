"""Faults of pagination: `Link: rel="next"` that loops, shifts, lies, expires or never ends."""

from collections.abc import Callable

from entrypoints.sample_upstream.documents import Record, encode
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault, befalling
from entrypoints.sample_upstream.listing import page_url
from entrypoints.sample_upstream.posts import Selection
from entrypoints.sample_upstream.subjects import POSTS

ENDLESS_PAGES = 1_000_000
EXPIRING_PAGE = 3

Start = Callable[[int, int], int]
"""The start of a page, by its number and the page size."""


async def answer_page(
    exchange: Exchange, records: list[Record], next_page: int | None, total: int | None = None
) -> None:
    """Answer with these records and a link to the next page."""
    headers = []
    if next_page is not None:
        headers.append(("Link", f'<{page_url(exchange, next_page)}>; rel="next"'))
    if total is not None:
        headers.append(("X-Total-Count", str(total)))
    await exchange.answer(200, encode(records), headers)


def page_and_limit(exchange: Exchange) -> tuple[int, int]:
    """Return the requested page, by default the first, and the number of its records."""
    selection = Selection.from_query(exchange.request.query)
    return selection.page or 1, selection.limit


def walk(start: Start, total_factor: float | None = None) -> Handler:
    """Return a handler of pages that begin at `start`, with a next link while records remain."""

    async def play(exchange: Exchange) -> None:
        page, limit = page_and_limit(exchange)
        first, last = start(page, limit), start(page, limit) + limit
        next_page = page + 1 if last < len(exchange.records) else None
        total = None if total_factor is None else int(len(exchange.records) * total_factor)
        await answer_page(exchange, exchange.records[first:last], next_page, total)

    return play


def leading_to(next_page: Callable[[int], int]) -> Handler:
    """Return a handler of correct pages with the next links of `next_page`."""

    async def play(exchange: Exchange) -> None:
        page, limit = page_and_limit(exchange)
        records = exchange.records[(page - 1) * limit : page * limit]
        await answer_page(exchange, records, next_page(page))

    return play


async def empty_second_page(exchange: Exchange) -> None:
    """Serve nothing on page 2, and continue with its records on page 3."""
    page, _ = page_and_limit(exchange)
    if page == 2:
        await answer_page(exchange, [], 3)
    else:
        await walk(lambda page, limit: (page - 1 - (page > 2)) * limit)(exchange)


def expiring(status: int) -> Handler:
    """Return a handler that refuses page 3 on the first walk, and not on the next one."""

    async def play(exchange: Exchange) -> None:
        page, _ = page_and_limit(exchange)
        if page == EXPIRING_PAGE and exchange.turn <= EXPIRING_PAGE:
            await exchange.answer(status, encode({"error": "This cursor has expired."}))
        else:
            await walk(honest)(exchange)

    return play


async def a_million_pages(exchange: Exchange) -> None:
    """Serve a million pages of new posts."""
    page, limit = page_and_limit(exchange)
    template = exchange.first_record
    records = [{**template, "id": (page - 1) * limit + index + 1} for index in range(limit)]
    await answer_page(exchange, records, page + 1 if page < ENDLESS_PAGES else None)


async def repeated_on_every_page(exchange: Exchange) -> None:
    """Begin every page with the first post, its title naming the page."""
    page, limit = page_and_limit(exchange)
    first = {**exchange.first_record, "title": f"as seen on page {page}"}
    records = exchange.records[max(1, (page - 1) * limit) : page * limit]
    next_page = page + 1 if page * limit < len(exchange.records) else None
    await answer_page(exchange, [first, *records], next_page)


def honest(page: int, limit: int) -> int:
    """Return the end of the page before."""
    return (page - 1) * limit


def overlapping(page: int, limit: int) -> int:
    """Return a start one record earlier for each page, as if posts were inserted meanwhile."""
    return (page - 1) * max(limit - 1, 1)


def skipping(page: int, limit: int) -> int:
    """Return a start one record later for each page, as if posts were deleted meanwhile."""
    return (page - 1) * (limit + 1)


OF_POSTS = {
    "U27-across-pages": Fault(
        "Every page repeats the first post with another title.", repeated_on_every_page
    ),
    "U32-self": Fault("The next page is the same page.", leading_to(lambda page: page)),
    "U32-loop": Fault("Page 1 leads to 2 and 2 to 1.", leading_to(lambda page: page % 2 + 1)),
    "U32-empty-page": Fault("Page 2 is empty and still has a next link.", empty_second_page),
    "U32-empty-forever": Fault(
        "After the last page come empty ones, without end.", leading_to(lambda page: page + 1)
    ),
    "U32-overlap": Fault("Each page repeats the last post of the one before.", walk(overlapping)),
    "U32-shift": Fault("One post is lost between each page and the next.", walk(skipping)),
    "U32-total-high": Fault("X-Total-Count is ten times too high.", walk(honest, 10)),
    "U32-total-low": Fault("X-Total-Count is half of what comes.", walk(honest, 0.5)),
    "U32-expired-410": Fault("On the first walk page 3 is 410.", expiring(410)),
    "U32-expired-422": Fault("On the first walk page 3 is 422.", expiring(422)),
    "U32-endless": Fault("There are a million pages, all different.", a_million_pages),
}
PAGINATION = befalling(OF_POSTS, POSTS)
