"""The routes of the sample upstream."""

import re

from entrypoints.sample_upstream.documents import encode
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults import find_fault
from entrypoints.sample_upstream.listing import list_posts, one_post
from entrypoints.sample_upstream.page import front_page
from entrypoints.sample_upstream.subjects import find_subject

LAST_SHOWN = 100
REQUESTS_PATH = "/_requests"
READING = frozenset({"GET", "HEAD"})
FAULT_PATH = re.compile(r"/faults/([^/]+)(/.*)")


async def handle(exchange: Exchange) -> None:
    """Answer a request by its path; faults accept any method, the rest only GET and HEAD."""
    request = exchange.request
    if fault := FAULT_PATH.fullmatch(request.path):
        await play_fault(exchange, fault[1], fault[2])
        return
    handler = find_handler(exchange)
    if handler is None:
        await exchange.answer(404, b"{}")
    elif request.method not in READING:
        await exchange.answer(405, b"{}", [("Allow", "GET, HEAD")])
    else:
        await handler(exchange)


async def play_fault(exchange: Exchange, name: str, path: str) -> None:
    """Serve the subject at the path with the fault of that name."""
    fault, subject = find_fault(name), find_subject(path)
    if fault is None:
        await explain(exchange, f"There is no fault {name}")
    elif subject is None:
        await explain(exchange, f"There is nothing at {path} that a fault could spoil")
    elif subject not in fault.subjects:
        spoiled = " and ".join(subject.path for subject in fault.subjects)
        await explain(exchange, f"{name} is a fault of {spoiled}, not of {path}")
    else:
        exchange.subject, exchange.path = subject, path
        exchange.turn = exchange.state.turn(exchange.request.path)
        await fault.play(exchange)


async def explain(exchange: Exchange, what: str) -> None:
    """Answer 404 with the reason."""
    await exchange.answer(404, encode({"error": f"{what}; GET / lists what there is."}))


async def show_requests(exchange: Exchange) -> None:
    """Answer `GET /_requests`: the number of requests, and the last 100 of them."""
    log = exchange.state.log
    await exchange.answer(200, encode({"count": log.count(), "last": log.kept[-LAST_SHOWN:]}))


async def show_front_page(exchange: Exchange) -> None:
    """Answer `GET /` with a page about the features of this server."""
    page = front_page(exchange.request.origin)
    await exchange.answer(200, page, content_type="text/html; charset=utf-8")


EXACT: dict[str, Handler] = {
    "/": show_front_page,
    # The target of forbidden redirects: the log shows a client that follows one.
    "/forbidden": list_posts,
    REQUESTS_PATH: show_requests,
}


def find_handler(exchange: Exchange) -> Handler | None:
    """Return the handler of a path without a fault, or None; set the subject of the exchange."""
    path = exchange.request.path
    if subject := find_subject(path):
        exchange.subject, exchange.path = subject, path
        return subject.serve
    return one_post if re.fullmatch(r"/posts/[^/]+", path) else EXACT.get(path)
