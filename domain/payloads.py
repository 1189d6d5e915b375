"""Payloads: bodies exactly as received, their receipts, and what is read from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The note that a payload arrived: for which job, and what has become of it since.

    `body` is the same for equal bytes, `merged` says whether its fetch was committed, and `waiting`
    how many of its records are in quarantine.
    """

    id: int
    job_id: str
    body: str
    merged: bool
    waiting: int = 0


class StoredPayload(msgspec.Struct, frozen=True):
    """A payload as it was kept, with its receipt."""

    payload: Payload
    receipt: Receipt


def replayed(receipts: Sequence[Receipt], only: int | None = None) -> list[Receipt]:
    """Of one source's receipts, oldest first, those that a replay reads again.

    They are the whole fetches of which records wait in quarantine, or the one `only` belongs to.
    What was committed since is read as well, each body as it came last: a row is not rewritten by a
    payload that only confirms it, so that the rows alone do not tell what is newer than a replay.
    """
    wanted = [r for r in receipts if r.waiting and only in (None, r.id)]
    fetches = {(r.job_id, r.merged) for r in wanted}
    again = [r for r in receipts if (r.job_id, r.merged) in fetches]
    last = {r.body: r.id for r in receipts if r.merged}
    since = [r for r in receipts if r.merged and again and r.id > again[0].id]
    newest = [r for r in since if last[r.body] == r.id]
    return sorted({*again, *newest}, key=lambda receipt: receipt.id)


@dataclass(frozen=True)
class Batch(Generic[R]):
    """What one payload holds: records that can be read, and those that cannot.

    `pointer` says where in the body a record stands, by its number among the records; it is None
    where the source cannot tell. Batches that hold the same are equal, whatever it says.
    """

    records: list[R]
    rejections: list[Rejection] = field(default_factory=list)
    pointer: Callable[[int], str] | None = field(default=None, compare=False)
