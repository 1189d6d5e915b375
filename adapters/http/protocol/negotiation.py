"""Negotiation: the media type that a client likes best, and values as JSON."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

JSON = "application/json"

_json = msgspec.json.Encoder()


def json_of(value: Any) -> bytes:
    """Return anything as JSON."""
    return _json.encode(value)


def best_match(accept: str, offered: Iterable[str]) -> str | None:
    """Return the offered media type an Accept header likes best, the first among equals.

    None if it likes none. The framework's `Accept` takes `q=0` and a broken `q` for a wish.
    """
    weights = dict(_weights(accept))
    best: str | None = None
    best_weight = 0.0
    for media_type in offered:
        ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        weight = next((weights[r] for r in ranges if r in weights), 0.0)
        if weight > best_weight:
            best, best_weight = media_type, weight
    return best


def _weights(accept: str) -> Iterable[tuple[str, float]]:
    for item in accept.split(",")[:50]:
        media_range, *parameters = item.split(";")
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.strip().partition("=")
            if name == "q":
                weight = _quality(value)
        yield media_range.strip().lower(), weight


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", text) else 0.0
