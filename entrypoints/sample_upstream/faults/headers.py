"""Faults in the headers: wrong validators, and unrequested responses."""

from datetime import timedelta

from entrypoints.sample_upstream.answers import accepts_gzip
from entrypoints.sample_upstream.documents import encode
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault
from entrypoints.sample_upstream.subjects import POSTS

STUCK = '"stuck"'
LONG_BYTES = 8 * 1024


def body_with(*headers: tuple[str, str]) -> Handler:
    """Return a handler that answers with the correct body and these headers."""

    async def play(exchange: Exchange) -> None:
        await exchange.show(exchange.body, headers)

    return play


async def same_tag_new_body(exchange: Exchange) -> None:
    """Answer 200 with one ETag for ever while the body changes each time."""
    await exchange.show(_body_of_turn(exchange), [("ETag", STUCK)])


async def stuck_tag(exchange: Exchange) -> None:
    """Return the same, but answer 304 to requests with the ETag."""
    if _known_tag(exchange) == STUCK:
        await exchange.answer(304, headers=[("ETag", STUCK)])
    else:
        await same_tag_new_body(exchange)


async def new_tag_same_body(exchange: Exchange) -> None:
    """Answer with another ETag each time while the body stays."""
    await exchange.show(exchange.body, [("ETag", f'"turn-{exchange.turn}"')])


async def unasked_not_modified(exchange: Exchange) -> None:
    """Answer 304 to everyone."""
    await exchange.answer(304, headers=[("ETag", STUCK)])


async def not_modified_with_body(exchange: Exchange) -> None:
    """Send a body after a 304, which must not have one."""
    if _known_tag(exchange) is None:
        await exchange.show(exchange.body, [("ETag", STUCK)])
        return
    kind, length = exchange.subject.content_type, str(len(exchange.body))
    described = [("Content-Type", kind), ("Content-Length", length)]
    start = exchange.head(304, [("ETag", STUCK), *described])
    await exchange.send(start + exchange.body)


async def strong_tag(exchange: Exchange) -> None:
    """Use a strong ETag, and answer 304 only to exactly that."""
    tag = _strong(exchange)
    if _known_tag(exchange) == tag:
        await exchange.answer(304, headers=[("ETag", tag)])
    else:
        await exchange.show(exchange.body, [("ETag", tag)])


async def alternating_tag(exchange: Exchange) -> None:
    """Send the same ETag weak and strong by turns, and never answer 304."""
    tag = _strong(exchange)
    await exchange.show(exchange.body, [("ETag", f"W/{tag}" if exchange.turn % 2 else tag)])


async def suffixed_tag(exchange: Exchange) -> None:
    """Append -gzip to the ETag of compressed answers and never match it, as Apache did."""
    tag = _strong(exchange)
    if _known_tag(exchange) == tag:
        await exchange.answer(304, headers=[("ETag", tag)])
    elif accepts_gzip(exchange):
        headers = [("ETag", f'{tag[:-1]}-gzip"'), ("Content-Encoding", "gzip")]
        await exchange.show(exchange.document.packed, headers)
    else:
        await exchange.show(exchange.body, [("ETag", tag)])


async def modified_tomorrow(exchange: Exchange) -> None:
    """Send a Last-Modified of tomorrow."""
    modified = exchange.date(timedelta(days=1))
    await exchange.show(exchange.body, [("Last-Modified", modified)])


async def echo_secrets(exchange: Exchange) -> None:
    """Repeat the client's Authorization and If-None-Match in a text."""
    sent = exchange.request.headers
    echo = f"You sent {sent.get('authorization')} and {sent.get('if-none-match')}"
    await exchange.show(exchange.subject.respell(exchange, encode(echo)))


def _body_of_turn(exchange: Exchange) -> bytes:
    if exchange.subject is not POSTS:
        return exchange.subject.respell(exchange, encode(f"seen at turn {exchange.turn}"))
    records = exchange.records
    return encode([{**r, "title": f"{r.get('title')} (turn {exchange.turn})"} for r in records])


def _known_tag(exchange: Exchange) -> str | None:
    return exchange.request.headers.get("if-none-match")


def _strong(exchange: Exchange) -> str:
    return exchange.document.strong_etag


PUSHED = (
    ("Set-Cookie", "session=pushed; Path=/; HttpOnly"),
    ("Set-Cookie", "tracker=1; Max-Age=31536000"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("WWW-Authenticate", 'Basic realm="give me your password"'),
    ("Authorization", "Bearer pushed"),
)
HEADERS = {
    "U33-same-etag-new-body": Fault("The ETag stays, the body changes.", same_tag_new_body),
    "U33-stuck-etag": Fault("The ETag stays and gets 304, though the body changes.", stuck_tag),
    "U33-new-etag-same-body": Fault("The ETag changes, the body stays.", new_tag_same_body),
    "U33-unasked-304": Fault("304 to a client that sent no validator.", unasked_not_modified),
    "U33-304-with-body": Fault("304 is followed by a body.", not_modified_with_body),
    "U33-weak": Fault("The ETag is weak and never matched again.", body_with(("ETag", 'W/"weak"'))),
    "U33-strong": Fault("The ETag is strong and must come back exactly.", strong_tag),
    "U33-alternating": Fault("The ETag is weak and strong by turns.", alternating_tag),
    "U33-gzip-suffix": Fault("The ETag of gzip answers ends in -gzip, unknown.", suffixed_tag),
    "U33-long": Fault("The ETag is 8 kB long.", body_with(("ETag", f'"{"e" * LONG_BYTES}"'))),
    "U33-crlf": Fault(
        "The ETag contains a line break and another header.",
        body_with(("ETag", '"broken\r\nX-Smuggled: yes"')),
    ),
    "U34-future": Fault("Last-Modified is tomorrow.", modified_tomorrow),
    "U34-garbage": Fault(
        "Last-Modified is not a date.", body_with(("Last-Modified", "Thu, 99 Foo 20xx 25:61:61"))
    ),
    "U38": Fault("Cookies, HSTS and authentication headers are pushed.", body_with(*PUSHED)),
    "U43": Fault("One text repeats your Authorization and If-None-Match.", echo_secrets),
}
