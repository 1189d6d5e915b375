"""Faults of the body as text: not what was asked for, nothing at all, or badly spelled."""

from collections.abc import Callable

from entrypoints.upstream.exchange import JSON, Exchange, Handler
from entrypoints.upstream.faults.fault import Fault
from entrypoints.upstream.faults.records import with_raw
from entrypoints.upstream.posts import encode

HTML = "text/html; charset=utf-8"
ERROR_PAGE = b"<!doctype html><title>Oops</title><h1>We will be back soon</h1>"


def content(make: Callable[[Exchange], bytes], content_type: str = JSON) -> Handler:
    """Answer 200 with the body made, under this content type."""

    async def play(exchange: Exchange) -> None:
        await exchange.answer(200, make(exchange), content_type=content_type)

    return play


def titled(spelling: bytes) -> Callable[[Exchange], bytes]:
    """Make the posts with the third title spelled by exactly these bytes."""
    return lambda exchange: encode(with_raw(exchange.records, "title", spelling))


def utf16(exchange: Exchange) -> bytes:
    """The posts in UTF-16 with a byte order mark."""
    return exchange.body.decode().encode("utf-16")


async def no_content(exchange: Exchange) -> None:
    """Answer 204."""
    await exchange.answer(204)


LATIN1_TITLE = '"le café de la rivière"'.encode("latin-1")
CONTENT = {
    "U8-html": Fault("200 with an HTML error page.", content(lambda _: ERROR_PAGE, HTML)),
    "U8-html-as-json": Fault(
        "200 with an HTML error page labelled JSON.", content(lambda _: ERROR_PAGE)
    ),
    "U8-json-as-html": Fault(
        "The posts, labelled HTML.", content(lambda exchange: exchange.body, HTML)
    ),
    "U9": Fault(
        "200 with an error in JSON.",
        content(lambda _: encode({"error": {"code": 1042, "message": "The database is away."}})),
    ),
    "U10-204": Fault("204 and no body.", no_content),
    "U10-empty": Fault("200 and an empty body.", content(lambda _: b"")),
    "U10-empty-list": Fault("200 and an empty list.", content(lambda _: b"[]")),
    "U23-invalid-utf8": Fault(
        "One title has bytes that are not UTF-8.", content(titled(b'"the \xff\xfe\xc3\x28 river"'))
    ),
    "U23-utf16": Fault(
        "The body is UTF-16 with a byte order mark, and says so.",
        content(utf16, "application/json; charset=utf-16"),
    ),
    "U23-utf8-mark": Fault(
        "The body begins with a UTF-8 byte order mark.",
        content(lambda exchange: b"\xef\xbb\xbf" + exchange.body),
    ),
    "U23-latin1": Fault(
        "One title is Latin-1 while the label says UTF-8.", content(titled(LATIN1_TITLE))
    ),
    "U23-latin1-declared": Fault(
        "One title is Latin-1 and the label says so.",
        content(titled(LATIN1_TITLE), "application/json; charset=iso-8859-1"),
    ),
    "U23-nul": Fault("One title holds U+0000.", content(titled(rb'"the \u0000 river"'))),
    "U23-surrogate": Fault(
        "One title holds half of a surrogate pair.", content(titled(rb'"the \ud800 river"'))
    ),
}
