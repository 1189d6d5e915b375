"""What a fault is."""

import msgspec

from entrypoints.upstream.exchange import Exchange, Handler
from entrypoints.upstream.listing import list_posts


class Fault(msgspec.Struct, frozen=True):
    """One way to misbehave: a sentence for people and the handler that plays it."""

    description: str
    play: Handler


def failing(handler: Handler) -> Handler:
    """Play the handler for the first requests since `forget`, then serve the posts properly."""

    async def play(exchange: Exchange) -> None:
        is_over = exchange.turn > exchange.stage.failures_before_ok
        await (list_posts if is_over else handler)(exchange)

    return play


def with_recovery(name: str, fault: Fault) -> dict[str, Fault]:
    """The fault, and a variant that ends after a few requests, named `-then-ok`."""
    recovery = f"The first two times: {fault.description} Then it serves the posts."
    return {name: fault, f"{name}-then-ok": Fault(recovery, failing(fault.play))}
