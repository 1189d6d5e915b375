"""Documents: bodies with their validators and their compressed form."""

import gzip
import hashlib
from functools import cached_property
from typing import Any

import msgspec

Record = dict[str, Any]

SPOILED = 2
"""The index of the record that single-record faults change: the third."""


class Document:
    """A body with its validators and its compressed form, each computed once."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    @cached_property
    def etag(self) -> str:
        """Return a weak validator, because the gzip form shares it."""
        return f"W/{self.strong_etag}"

    @cached_property
    def strong_etag(self) -> str:
        """Return a strong validator, for answers that send exactly these bytes."""
        return f'"{hashlib.blake2b(self.body, digest_size=8).hexdigest()}"'

    @cached_property
    def packed(self) -> bytes:
        """Return the body compressed with gzip."""
        return gzip.compress(self.body, compresslevel=1, mtime=0)


def encode(value: Any) -> bytes:
    """Return a value as JSON."""
    return msgspec.json.encode(value)


def with_raw(records: list[Record], field: str, spelling: bytes) -> list[Record]:
    """Return the records, with exactly these bytes as one field of the third."""
    return [
        {**record, field: msgspec.Raw(spelling)} if index == SPOILED else record
        for index, record in enumerate(records)
    ]


def positive(text: str | None) -> int | None:
    """Read a whole number above zero, or None."""
    return int(text) if text and text.isdecimal() and len(text) < 10 and int(text) > 0 else None
