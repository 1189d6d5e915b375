"""Fault: one way in which the sample upstream misbehaves."""

import msgspec

from entrypoints.sample_upstream.exchange import Exchange, Handler, Subject
from entrypoints.sample_upstream.subjects import ASSETS, SUBJECTS

IN_JSON = tuple(subject for subject in SUBJECTS if subject is not ASSETS)
"""The subjects of faults in JSON."""


class Fault(msgspec.Struct, frozen=True):
    """One fault: its description, the handler that plays it, and its subjects."""

    description: str
    play: Handler
    subjects: tuple[Subject, ...] = SUBJECTS


def befalling(faults: dict[str, Fault], *subjects: Subject) -> dict[str, Fault]:
    """Return the faults, restricted to these subjects."""
    return {
        name: msgspec.structs.replace(fault, subjects=subjects) for name, fault in faults.items()
    }


def failing(handler: Handler) -> Handler:
    """Return a handler that fails for the first requests since `forget`, then serves correctly."""

    async def play(exchange: Exchange) -> None:
        is_over = exchange.turn > exchange.state.failures_before_ok
        await (exchange.serve() if is_over else handler(exchange))

    return play


def with_recovery(name: str, fault: Fault) -> dict[str, Fault]:
    """Return the fault, and a variant that ends after a few requests, named `-then-ok`."""
    recovery = f"The first two times: {fault.description} Then all is well."
    then_ok = msgspec.structs.replace(fault, description=recovery, play=failing(fault.play))
    return {name: fault, f"{name}-then-ok": then_ok}
