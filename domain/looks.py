"""Looks at an upstream that is not declared yet."""

import msgspec

from domain.guessed_pages import FirstAnswer


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of an upstream, and how its body is written: `json`, `ndjson` or `csv`."""

    answer: FirstAnswer
    format: str
