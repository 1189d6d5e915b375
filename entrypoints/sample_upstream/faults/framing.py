"""Faults of framing: bodies that are shorter or longer than the headers say, or endless."""

from entrypoints.sample_upstream.exchange import Exchange
from entrypoints.sample_upstream.faults.fault import Fault, with_recovery

DECLARED_BYTES = 10 * 1024**3
ENDLESS_PIECE_BYTES = 64 * 1024
CHUNKED = ("Transfer-Encoding", "chunked")


async def too_short(exchange: Exchange) -> None:
    """Send half of the declared length, then close."""
    exchange.keep_alive = False
    length = ("Content-Length", str(len(exchange.body)))
    await exchange.send(_head(exchange, length) + _half(exchange))


async def too_long(exchange: Exchange) -> None:
    """Send more than the declared length, and keep the connection."""
    length = ("Content-Length", str(len(exchange.body)))
    await exchange.send(_head(exchange, length) + exchange.body + b'[{"id": 666}]')


async def cut_without_length(exchange: Exchange) -> None:
    """Declare no length, send half, and close as if that were all."""
    exchange.keep_alive = False
    await exchange.send(_head(exchange) + _half(exchange))


async def cut_chunked(exchange: Exchange) -> None:
    """Send half the body in a chunk and close without the last chunk."""
    exchange.keep_alive = False
    await exchange.send(_head(exchange, CHUNKED) + _chunk(_half(exchange)))


async def endless(exchange: Exchange) -> None:
    """Declare no length and send records for ever."""
    exchange.keep_alive = False
    start, records = _without_end(exchange)
    await exchange.send(_head(exchange) + start)
    await exchange.pour(records)


async def endless_chunked(exchange: Exchange) -> None:
    """Send records for ever in chunks."""
    exchange.keep_alive = False
    start, records = _without_end(exchange)
    await exchange.send(_head(exchange, CHUNKED) + _chunk(start + records))
    await exchange.pour(_chunk(records))


async def endless_declared(exchange: Exchange) -> None:
    """Declare ten gibibytes and start sending them."""
    exchange.keep_alive = False
    length = ("Content-Length", str(DECLARED_BYTES))
    start, records = _without_end(exchange)
    await exchange.send(_head(exchange, length) + start)
    await exchange.pour(records)


def _head(exchange: Exchange, *headers: tuple[str, str]) -> bytes:
    return exchange.head(200, [("Content-Type", exchange.subject.content_type), *headers])


def _half(exchange: Exchange) -> bytes:
    return exchange.body[: len(exchange.body) // 2]


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _without_end(exchange: Exchange) -> tuple[bytes, bytes]:
    # A list continues as one list; anything else is repeated.
    is_list = exchange.body.startswith(b"[{")
    piece = exchange.body[1:-1] + b"," if is_list else exchange.body or b" "
    return b"[" if is_list else b"", piece * max(ENDLESS_PIECE_BYTES // len(piece), 1)


FRAMING = {
    **with_recovery("U11", Fault("The body is half as long as Content-Length says.", too_short)),
    "U12": Fault("The body is longer than Content-Length says.", too_long),
    "U13": Fault("No length is given and the body ends half-way.", cut_without_length),
    "U13-chunked": Fault("The chunks end half-way, without the last one.", cut_chunked),
    "U17": Fault("The body has no length and no end.", endless),
    "U17-chunked": Fault("The chunks have no end.", endless_chunked),
    "U17-declared": Fault("Content-Length says ten gibibytes.", endless_declared),
}
