"""Bounds for what is read from one body, whatever its format."""

from typing import Any

from domain.errors import UnexpectedContent
from domain.payloads import Batch

MAX_RECORDS = 1_000_000
MAX_REJECTIONS = 100_000


def check_rejections(batch: Batch[Any]) -> None:
    """Let a batch pass that has room for one more rejection; UnexpectedContent otherwise."""
    if len(batch.rejections) >= MAX_REJECTIONS:
        raise UnexpectedContent(
            f"more than {MAX_REJECTIONS} records cannot be read", code="too_many_rejections"
        )


def too_many_records() -> UnexpectedContent:
    """One body holds more records than we take."""
    return UnexpectedContent(
        f"there are more than {MAX_RECORDS} records in one body", code="too_many_records"
    )
