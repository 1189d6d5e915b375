"""Faults of the body as text: the wrong content, no content, or a wrong charset."""

from collections.abc import Callable

from entrypoints.sample_upstream.documents import encode
from entrypoints.sample_upstream.exchange import JSON, Exchange, Handler
from entrypoints.sample_upstream.faults.fault import IN_JSON, Fault

HTML = "text/html; charset=utf-8"
ERROR_PAGE = b"<!doctype html><title>Oops</title><h1>We will be back soon</h1>"


def content(make: Callable[[Exchange], bytes], content_type: str = JSON) -> Handler:
    """Return a handler that answers 200 with this body, under this content type."""

    async def play(exchange: Exchange) -> None:
        await exchange.answer(200, make(exchange), content_type=content_type)

    return play


def labelled(make: Callable[[Exchange], bytes], charset: str = "utf-8") -> Handler:
    """Return a handler that answers 200 with this body, under this charset."""

    async def play(exchange: Exchange) -> None:
        kind = exchange.subject.content_type.replace("utf-8", charset)
        await exchange.answer(200, make(exchange), content_type=kind)

    return play


def spelled(spelling: bytes) -> Callable[[Exchange], bytes]:
    """Return a function that makes the body with exactly these bytes in place of one text."""
    return lambda exchange: exchange.subject.respell(exchange, spelling)


def utf16(exchange: Exchange) -> bytes:
    """Return the body in UTF-16 with a byte order mark."""
    return exchange.body.decode().encode("utf-16")


async def no_content(exchange: Exchange) -> None:
    """Answer 204."""
    await exchange.answer(204)


LATIN1_TEXT = '"le café de la rivière"'.encode("latin-1")
CONTENT = {
    "U8-html": Fault("200 with an HTML error page.", content(lambda _: ERROR_PAGE, HTML)),
    "U8-html-as-json": Fault(
        "200 with an HTML error page labelled JSON.", content(lambda _: ERROR_PAGE)
    ),
    "U8-json-as-html": Fault(
        "The correct body, labelled HTML.", content(lambda exchange: exchange.body, HTML)
    ),
    "U9": Fault(
        "200 with an error in JSON.",
        content(lambda _: encode({"error": {"code": 1042, "message": "The database is away."}})),
    ),
    "U10-204": Fault("204 and no body.", no_content),
    "U10-empty": Fault("200 and an empty body.", content(lambda _: b"")),
    "U10-empty-list": Fault("200 and an empty list.", content(lambda _: b"[]"), IN_JSON),
    "U23-invalid-utf8": Fault(
        "One text has bytes that are not UTF-8.", labelled(spelled(b'"the \xff\xfe\xc3\x28 river"'))
    ),
    "U23-utf16": Fault(
        "The body is UTF-16 with a byte order mark, and says so.", labelled(utf16, "utf-16")
    ),
    "U23-utf8-mark": Fault(
        "The body begins with a UTF-8 byte order mark.",
        labelled(lambda exchange: b"\xef\xbb\xbf" + exchange.body),
    ),
    "U23-latin1": Fault(
        "One text is Latin-1 while the label says UTF-8.", labelled(spelled(LATIN1_TEXT))
    ),
    "U23-latin1-declared": Fault(
        "One text is Latin-1 and the label says so.", labelled(spelled(LATIN1_TEXT), "iso-8859-1")
    ),
    "U23-nul": Fault(
        "One text contains U+0000.", labelled(spelled(rb'"the \u0000 river"')), IN_JSON
    ),
    "U23-surrogate": Fault(
        "One text contains half of a surrogate pair.",
        labelled(spelled(rb'"the \ud800 river"')),
        IN_JSON,
    ),
}
