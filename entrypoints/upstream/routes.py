"""Which handler answers a path."""

import re

from entrypoints.upstream.exchange import Exchange, Handler
from entrypoints.upstream.faults import find_fault
from entrypoints.upstream.listing import list_posts, one_post
from entrypoints.upstream.page import front_page
from entrypoints.upstream.posts import encode

LAST_SHOWN = 100
REQUESTS_PATH = "/_requests"
READING = frozenset({"GET", "HEAD"})
FAULT_PATH = re.compile(r"/faults/([^/]+)/posts")


async def handle(exchange: Exchange) -> None:
    """Answer a request by its path; faults take any method, the rest only GET and HEAD."""
    request = exchange.request
    if fault := FAULT_PATH.fullmatch(request.path):
        await play_fault(exchange, fault[1])
        return
    handler = find_route(request.path)
    if handler is None:
        await exchange.answer(404, b"{}")
    elif request.method not in READING:
        await exchange.answer(405, b"{}", [("Allow", "GET, HEAD")])
    else:
        await handler(exchange)


async def play_fault(exchange: Exchange, name: str) -> None:
    """Serve the posts with the fault of that name."""
    fault = find_fault(name)
    if fault is None:
        explanation = f"There is no fault {name}; GET / lists those there are."
        await exchange.answer(404, encode({"error": explanation}))
        return
    exchange.turn = exchange.stage.turn(name)
    await fault.play(exchange)


async def show_requests(exchange: Exchange) -> None:
    """Answer `GET /_requests`: how many requests came, and the last 100 of them."""
    log = exchange.stage.log
    await exchange.answer(200, encode({"count": log.count(), "last": log.kept[-LAST_SHOWN:]}))


async def show_front_page(exchange: Exchange) -> None:
    """Answer `GET /` with a page about everything this server offers."""
    await exchange.answer(200, front_page(), content_type="text/html; charset=utf-8")


EXACT: dict[str, Handler] = {
    "/": show_front_page,
    "/posts": list_posts,
    # Where forbidden redirects lead: a client that follows one is seen in the log.
    "/forbidden": list_posts,
    REQUESTS_PATH: show_requests,
}


def find_route(path: str) -> Handler | None:
    """The handler of a well-behaved path, or None."""
    return one_post if re.fullmatch(r"/posts/[^/]+", path) else EXACT.get(path)
