"""Content negotiation: the media type that a client prefers, and values as JSON."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

JSON = "application/json"

_json = msgspec.json.Encoder()

#: Aliases of media ranges: other names of one type, and the `*` of Java.
_ALIASES = {
    "*": "*/*",
    "application/jsonl": "application/x-ndjson",
    "application/jsonlines": "application/x-ndjson",
    "application/ndjson": "application/x-ndjson",
    "application/x-jsonlines": "application/x-ndjson",
}
_QUALITY = re.compile(r"0?\.[0-9]+|0\.?|1(\.0*)?")


def json_of(value: Any) -> bytes:
    """Return a value as JSON."""
    return _json.encode(value)


def best_match(accept: str, offered: Iterable[str]) -> str | None:
    """Return the media type that an Accept header prefers, the first among equals; None if none.

    The framework's `Accept` treats `q=0` and an invalid `q` as acceptable.
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
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                weight = _quality(value.strip())
        media_range = media_range.strip().lower()
        yield _ALIASES.get(media_range, media_range), weight


def _quality(text: str) -> float:
    return float(text) if _QUALITY.fullmatch(text) else 0.0
