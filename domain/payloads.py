"""Payloads: bodies exactly as received, and what is read from them."""

from datetime import datetime
from typing import Generic

import msgspec

from domain.dataset import R
from domain.reports import Rejection


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One body as it arrived.

    `page` counts from 0 within one fetch. `receipt` is the number the store gave it, 0 before.
    """

    url: str
    body: bytes
    content_type: str = ""
    received_at: datetime
    page: int = 0
    etag: str | None = None
    last_modified: str | None = None
    receipt: int = 0


class Batch(msgspec.Struct, Generic[R], frozen=True):
    """What one payload holds: records that can be read, and those that cannot."""

    records: list[R]
    rejections: list[Rejection] = []
