"""Payloads: bodies exactly as received, their receipts, and the records in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic

import msgspec

from domain.dataset import R
from domain.reports import Failure, Rejection

#: The first bytes of a gzip body, whatever its headers say.
GZIP = b"\x1f\x8b\x08"


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One body as received.

    `page` counts from 0 within one fetch. The store assigns `receipt`, 0 before, and notes in
    `is_known` whether the same bytes had been kept before they came.
    """

    url: str
    body: bytes
    content_type: str = ""
    received_at: datetime
    page: int = 0
    etag: str | None = None
    last_modified: str | None = None
    receipt: int = 0
    is_known: bool = False

    @property
    def is_packed(self) -> bool:
        """Return whether the body itself is gzip, so its size says little about it."""
        return self.body.startswith(GZIP)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The arrival of a payload in one job, and the state of its records.

    `body` is equal for equal bytes, `merged` is whether its fetch was committed, and `waiting` the
    number of its records in quarantine.
    """

    id: int
    job_id: str
    body: str
    merged: bool
    waiting: int = 0


class StoredPayload(msgspec.Struct, frozen=True):
    """A stored payload with its receipt; a damaged one has no body, as it cannot be read back."""

    payload: Payload
    receipt: Receipt
    damaged: bool = False

    @property
    def damage(self) -> Failure | None:
        """Return why the payload cannot be read, or None if it can be."""
        if not self.damaged:
            return None
        return Failure(
            "damaged_payload",
            f"the stored payload of receipt {self.receipt.id} is no longer what was received, so it"
            " was left out and its records stay as they are; a fetch or a backup brings it back",
        )


class Replay(msgspec.Struct, frozen=True):
    """What a replay is about: all that waits in quarantine, or the payload of one receipt."""

    receipt: int | None = None


class Arrivals(msgspec.Struct, frozen=True):
    """What a fetch that is under way has brought; `first` is the receipt of its first page."""

    first: int


def selected(
    receipts: Sequence[Receipt], what: Replay | Arrivals | None, keeps_first: bool = False
) -> list[Receipt]:
    """Return those of a source's receipts, oldest first, that are read again.

    They are what a fetch has brought, what a replay needs, or else all that was committed. Where
    the first arrival of a record counts (`keeps_first`), a replay needs those of its bodies, too.
    """
    if isinstance(what, Arrivals):
        return [receipt for receipt in receipts if receipt.id >= what.first]
    if isinstance(what, Replay):
        chosen = replayed(receipts, what.receipt)
        return _with_first_arrivals(receipts, chosen) if keeps_first else chosen
    return [receipt for receipt in receipts if receipt.merged]


def _with_first_arrivals(receipts: Sequence[Receipt], chosen: list[Receipt]) -> list[Receipt]:
    bodies = {receipt.body for receipt in chosen}
    first: dict[str, Receipt] = {}
    for receipt in receipts:
        if receipt.merged and receipt.body in bodies:
            first.setdefault(receipt.body, receipt)
    return sorted({*chosen, *first.values()}, key=lambda receipt: receipt.id)


def replayed(receipts: Sequence[Receipt], only: int | None = None) -> list[Receipt]:
    """Return the receipts of a source, oldest first, that a replay reprocesses.

    These are the complete fetches with records in quarantine, or the fetch that `only` belongs to.
    Payloads committed since are reprocessed too, each body at its last arrival: a payload that only
    confirms a row does not rewrite it, so the rows alone do not show which of them are newer.
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
    """The records of one payload, and its rejections.

    `pointer` maps the number of a record to its place in the body; it is None if the source does
    not know it. Comparisons of batches ignore it.
    """

    records: list[R]
    rejections: list[Rejection] = field(default_factory=list)
    pointer: Callable[[int], str] | None = field(default=None, compare=False)
