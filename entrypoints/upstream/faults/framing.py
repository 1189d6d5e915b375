"""Faults of framing: bodies shorter, longer or more endless than the headers say."""

from entrypoints.upstream.exchange import JSON, Exchange
from entrypoints.upstream.faults.fault import Fault, with_recovery
from entrypoints.upstream.posts import encode

DECLARED_BYTES = 10 * 1024**3
ENDLESS_REPEATS = 256
CHUNKED = ("Transfer-Encoding", "chunked")


async def too_short(exchange: Exchange) -> None:
    """Send half of the declared length, then close."""
    exchange.keep_alive = False
    length = ("Content-Length", str(len(exchange.body)))
    await exchange.send(exchange.head(200, [("Content-Type", JSON), length]) + _half(exchange))


async def too_long(exchange: Exchange) -> None:
    """Send more than the declared length, and keep the connection."""
    length = ("Content-Length", str(len(exchange.body)))
    start = exchange.head(200, [("Content-Type", JSON), length])
    await exchange.send(start + exchange.body + b'[{"id": 666}]')


async def cut_without_length(exchange: Exchange) -> None:
    """Declare no length, send half, and close as if that were all."""
    exchange.keep_alive = False
    await exchange.send(exchange.head(200, [("Content-Type", JSON)]) + _half(exchange))


async def cut_chunked(exchange: Exchange) -> None:
    """Send half the body in a chunk and close without the last chunk."""
    exchange.keep_alive = False
    start = exchange.head(200, [("Content-Type", JSON), CHUNKED])
    await exchange.send(start + _chunk(_half(exchange)))


async def endless(exchange: Exchange) -> None:
    """Declare no length and send posts for ever."""
    exchange.keep_alive = False
    await exchange.send(exchange.head(200, [("Content-Type", JSON)]) + b"[")
    await exchange.pour(_many_posts(exchange))


async def endless_chunked(exchange: Exchange) -> None:
    """Send posts for ever in chunks."""
    exchange.keep_alive = False
    await exchange.send(exchange.head(200, [("Content-Type", JSON), CHUNKED]) + _chunk(b"["))
    await exchange.pour(_chunk(_many_posts(exchange)))


async def endless_declared(exchange: Exchange) -> None:
    """Declare ten gibibytes and set about sending them."""
    exchange.keep_alive = False
    length = ("Content-Length", str(DECLARED_BYTES))
    await exchange.send(exchange.head(200, [("Content-Type", JSON), length]) + b"[")
    await exchange.pour(_many_posts(exchange))


def _half(exchange: Exchange) -> bytes:
    return exchange.body[: len(exchange.body) // 2]


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _many_posts(exchange: Exchange) -> bytes:
    return (encode(exchange.first_record) + b",") * ENDLESS_REPEATS


FRAMING = {
    **with_recovery("U11", Fault("The body is half as long as Content-Length says.", too_short)),
    "U12": Fault("The body is longer than Content-Length says.", too_long),
    "U13": Fault("No length is given and the JSON ends half-way.", cut_without_length),
    "U13-chunked": Fault("The chunks end half-way, without the last one.", cut_chunked),
    "U17": Fault("The body has no length and no end.", endless),
    "U17-chunked": Fault("The chunks have no end.", endless_chunked),
    "U17-declared": Fault("Content-Length says ten gibibytes.", endless_declared),
}
