"""Limits of what is read from one body, in any format."""

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
    """Return the error for a body with too many records."""
    return UnexpectedContent(
        f"there are more than {MAX_RECORDS} records in one body", code="too_many_records"
    )


def rejection_of(pointer: str, reason: str, text: bytes) -> Rejection:
    """Return the rejection of a record, with an excerpt of its text."""
    excerpt = text[: _EXCERPT * 4].decode(errors="replace")[:_EXCERPT]
    return Rejection(pointer, reason[:_REASON], excerpt)
