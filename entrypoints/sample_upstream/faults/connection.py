"""Faults of the connection: broken, silent, slow, or with unexpected messages."""

from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault, with_recovery
from entrypoints.sample_upstream.wire import status_line

HUGE_HEADER_BYTES = 300_000
FLOOD_LINES = 1000


def proper_head(exchange: Exchange) -> bytes:
    """Return the head of a correct answer."""
    kind, length = exchange.subject.content_type, str(len(exchange.body))
    return exchange.head(200, [("Content-Type", kind), ("Content-Length", length)])


async def drip_headers(exchange: Exchange) -> None:
    """Send the headers one byte at a time, then the body at once."""
    await exchange.drip(proper_head(exchange))
    await exchange.send(exchange.body)


async def drip_body(exchange: Exchange) -> None:
    """Send the headers at once, then the body one byte at a time."""
    await exchange.send(proper_head(exchange))
    await exchange.drip(exchange.body)


async def stall(exchange: Exchange) -> None:
    """Send nine tenths of the body, then nothing."""
    enough = len(exchange.body) * 9 // 10
    await exchange.send(proper_head(exchange) + exchange.body[:enough])
    await exchange.silence()


async def say_nothing(exchange: Exchange) -> None:
    """Read the request and never answer."""
    await exchange.silence()


async def reset_in_body(exchange: Exchange) -> None:
    """Reset the connection after half the body."""
    await exchange.send(proper_head(exchange) + exchange.body[: len(exchange.body) // 2])
    exchange.reset()


async def close_unanswered(exchange: Exchange) -> None:
    """Close the connection instead of answering."""
    exchange.keep_alive = False


async def garbage_status(exchange: Exchange) -> None:
    """Send a first line that is not HTTP."""
    exchange.keep_alive = False
    await exchange.send(b"\x16\x03 220 mail.example ready\r\n\r\n" + exchange.body)


async def huge_header(exchange: Exchange) -> None:
    """Answer with one header of 300 kB."""
    await exchange.show(exchange.body, [("X-Filler", "x" * HUGE_HEADER_BYTES)])


async def close_on_reuse(exchange: Exchange) -> None:
    """Close a kept connection as soon as it is used a second time."""
    if exchange.earlier_answers:
        exchange.keep_alive = False
    else:
        await exchange.serve()


async def close_after_answer(exchange: Exchange) -> None:
    """Promise to keep the connection, answer, and close it."""
    await exchange.show(exchange.body, [("Connection", "keep-alive")])
    exchange.keep_alive = False


def flood(status: int, *headers: str) -> Handler:
    """Return a handler that sends this interim response for ever, and never the final one."""
    lines = "\r\n".join([status_line(status), *headers]) + "\r\n\r\n"

    async def play(exchange: Exchange) -> None:
        exchange.keep_alive = False
        await exchange.pour(lines.encode() * FLOOD_LINES)

    return play


async def hint_early(exchange: Exchange) -> None:
    """Send one 103 before a correct answer, which is valid."""
    await exchange.send(f"{status_line(103)}\r\nLink: </style.css>; rel=preload\r\n\r\n".encode())
    await exchange.serve()


async def late(exchange: Exchange) -> None:
    """Wait, then answer correctly."""
    await exchange.pause()
    await exchange.serve()


CONNECTION = {
    "U18-header-drip": Fault("The headers come one byte at a time.", drip_headers),
    "U18-body-drip": Fault("The body comes one byte at a time.", drip_body),
    "U18-stall": Fault("After 90 % of the body nothing more comes.", stall),
    "U19": Fault("The connection is accepted, the request is never answered.", say_nothing),
    **with_recovery(
        "U20-reset", Fault("The connection is reset in the middle of the body.", reset_in_body)
    ),
    **with_recovery(
        "U20-close", Fault("The connection is closed before any answer.", close_unanswered)
    ),
    "U20-garbage": Fault("The status line is not HTTP.", garbage_status),
    "U20-huge-header": Fault("One header is 300 kB long.", huge_header),
    "U21": Fault("A kept connection is closed when it is used again.", close_on_reuse),
    "U21-after-answer": Fault(
        "The connection is closed after an answer which said keep-alive.", close_after_answer
    ),
    "U22-100": Fault("100 Continue is sent for ever.", flood(100)),
    "U22-103": Fault(
        "103 Early Hints is sent for ever.", flood(103, "Link: </a.css>; rel=preload")
    ),
    "U22-103-once": Fault("One 103 Early Hints comes first, which is valid.", hint_early),
    "U40": Fault("The answer is correct but late (drip_seconds).", late),
}
