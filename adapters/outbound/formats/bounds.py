"""Bounds for what is read from one body, whatever its format."""

from typing import Any

from domain.errors import UnexpectedContent
from domain.payloads import Batch
from domain.reports import Rejection

MIB = 1024 * 1024
MAX_RECORDS = 1_000_000
MAX_REJECTIONS = 100_000

_EXCERPT = 200
_REASON = 200


def check_rejections(batch: Batch[Any]) -> None:
    """Raise UnexpectedContent unless a batch has room for one more rejection."""
    if len(batch.rejections) >= MAX_REJECTIONS:
        raise UnexpectedContent(
            f"more than {MAX_REJECTIONS} records cannot be read", code="too_many_rejections"
        )


def too_many_records() -> UnexpectedContent:
    """Return the error for a body that holds more records than are read."""
    return UnexpectedContent(
        f"there are more than {MAX_RECORDS} records in one body", code="too_many_records"
    )


def rejection_of(place: str, reason: str, text: bytes) -> Rejection:
    """Return the rejection of a record, with as much of its text as is shown."""
    excerpt = text[: _EXCERPT * 4].decode(errors="replace")[:_EXCERPT]
    return Rejection(place, reason[:_REASON], excerpt)
