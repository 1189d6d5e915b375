"""Payloads and receipts over SQL: bodies exactly as received, and their arrivals."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database, Row, SqlSession
from adapters.sql.schema.sql_dataset import SqlDataset
from adapters.sql.schema.tables import payload_chunks, payloads, quarantine, receipts
from application.ports.ingest import Receipts, Received, Verified
from domain.jobs import FetchJob
from domain.payloads import Arrivals, Payload, Receipt, Replay, StoredPayload, selected
from domain.times import from_micros, to_micros

#: A body is stored in chunks of at most this size before compression.
CHUNK = 1024 * 1024
#: The hash of the empty body, which has no chunks.
_EMPTY = hashlib.sha256(b"").hexdigest()

#: Locks a known body against pruning until its new receipt is stored.
_HOLD_PAYLOAD = (
    select(payloads.c.hash)
    .where(payloads.c.hash == bindparam("hash"))
    .with_for_update(read=True, key_share=True)
)
_KEEP_PAYLOAD = upsert(payloads).on_conflict_do_nothing()
_KEEP_CHUNK = insert(payload_chunks)
_KEEP_RECEIPT = (
    insert(receipts)
    .values({column.name: bindparam(column.name) for column in receipts.c if column.name != "id"})
    .returning(receipts.c.id)
)
_WAITING = (
    select(quarantine.c.receipt, func.count().label("waiting"))
    .where(quarantine.c.dataset == bindparam("of"), quarantine.c.source == bindparam("by"))
    .group_by(quarantine.c.receipt)
    .subquery()
)
_RECEIVED = (
    select(receipts, func.coalesce(_WAITING.c.waiting, 0))
    .outerjoin(_WAITING, _WAITING.c.receipt == receipts.c.id)
    .where(
        receipts.c.dataset == bindparam("of"),
        receipts.c.source == bindparam("by"),
        receipts.c.id >= bindparam("since"),
    )
    .order_by(receipts.c.id)
)
_CHUNKS = (
    select(payload_chunks.c.data)
    .where(payload_chunks.c.hash == bindparam("hash"))
    .order_by(payload_chunks.c.number)
)


class Packed(NamedTuple):
    """A body ready to be stored: its hash, its size, and its chunks as rows."""

    digest: str
    size: int
    chunks: list[Row]


def pack(body: bytes) -> Packed:
    """Compress a body; slow for large ones, so run it on a thread."""
    digest = hashlib.sha256(body).hexdigest()
    chunks: list[Row] = [
        (digest, number, zlib.compress(body[start : start + CHUNK], level=1))
        for number, start in enumerate(range(0, len(body), CHUNK))
    ]
    return Packed(digest, len(body), chunks)


async def receive(
    session: SqlSession, job: FetchJob, source: str, payload: Payload, packed: Packed
) -> Payload:
    """Keep a body, unless the same one is kept already, and note its arrival; see `Intake.keep`."""
    body = {"hash": packed.digest, "size": packed.size}
    is_known = bool(await session.rows(_HOLD_PAYLOAD, body))
    if not is_known and await session.run(_KEEP_PAYLOAD, body):
        await session.many(_KEEP_CHUNK, packed.chunks)
    named = {
        "dataset": job.dataset,
        "source": source,
        "job_id": job.id,
        "url": payload.url,
        "page": payload.page,
        "hash": packed.digest,
        "content_type": payload.content_type,
        "received_at": to_micros(payload.received_at),
        "merged": False,
    }
    [[receipt]] = await session.rows(_KEEP_RECEIPT, named)
    return msgspec.structs.replace(payload, receipt=int(receipt), is_known=is_known)


async def kept(
    session: SqlSession, dataset: SqlDataset, source: str, what: Replay | Arrivals | None
) -> AsyncIterator[StoredPayload]:
    """Yield every payload of a source whose fetch was committed, or the requested ones."""
    since = what.first if isinstance(what, Arrivals) else 0
    rows = await session.rows(_RECEIVED, {"of": dataset.name, "by": source, "since": since})
    received = {
        row[0]: dict(zip((*receipts.c.keys(), "waiting"), row, strict=True)) for row in rows
    }
    noted = list(map(_receipt, received.values()))
    for receipt in selected(noted, what, dataset.keeps_first):
        row = received[receipt.id]
        chunks = await session.rows(_CHUNKS, {"hash": receipt.body})
        if not chunks and receipt.body != _EMPTY:
            continue  # it was old enough to be pruned meanwhile
        payload = unpacked(row, chunks)
        yield StoredPayload(payload or _payload(row, b""), receipt, damaged=payload is None)


def unpacked(receipt: Mapping[str, Any], chunks: Sequence[Row]) -> Payload | None:
    """Return the payload of a receipt (a row by column names) and the chunks of its body.

    None if the body is no longer what was received: its hash is another one.
    """
    body = _body(receipt["hash"], chunks)
    return None if body is None else _payload(receipt, body)


def _is_sound(digest: str, chunks: Sequence[Row]) -> bool:
    return _body(digest, chunks) is not None


def _body(digest: str, chunks: Sequence[Row]) -> bytes | None:
    """Return the body of a hash from its chunks, or None if they are damaged."""
    try:
        body = b"".join(zlib.decompress(data) for [data] in chunks)
    except zlib.error:
        return None
    return body if hashlib.sha256(body).hexdigest() == digest else None


def _payload(receipt: Mapping[str, Any], body: bytes) -> Payload:
    return Payload(
        url=receipt["url"],
        body=body,
        content_type=receipt["content_type"],
        received_at=from_micros(receipt["received_at"]),
        page=receipt["page"],
        receipt=receipt["id"],
    )


def _receipt(row: Mapping[str, Any]) -> Receipt:
    return Receipt(
        id=row["id"],
        job_id=row["job_id"],
        body=row["hash"],
        merged=bool(row["merged"]),
        waiting=row["waiting"],
    )


_LAST = (
    select(receipts)
    .where(receipts.c.job_id == bindparam("job"))
    .order_by(receipts.c.id.desc())
    .limit(1)
)
_BODY = (
    select(payload_chunks.c.data)
    .where(payload_chunks.c.hash.in_(_LAST.with_only_columns(receipts.c.hash)))
    .order_by(payload_chunks.c.number)
)


_HASHES = (
    select(payloads.c.hash)
    .where(payloads.c.hash > bindparam("after"))
    .order_by(payloads.c.hash)
    .limit(100)
)
_ARRIVALS = (
    select(receipts.c.id).where(receipts.c.hash == bindparam("hash")).order_by(receipts.c.id)
)


class SqlReceipts(Receipts):
    """The receipts of jobs in a SQL database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self, job_id: str) -> Received | None:
        """Return the last payload that a job received, or None."""
        named = {"job": job_id}
        [rows, chunks] = await self._database.snapshot([(_LAST, named), (_BODY, named)])
        if not rows:
            return None
        receipt = dict(zip(receipts.c.keys(), rows[0], strict=True))
        payload = unpacked(receipt, chunks)
        return None if payload is None else Received(receipt["source"], payload)

    async def verify(self) -> AsyncIterator[Verified]:
        """Yield each stored body once it was read back and compared with what was received."""
        after = ""
        while True:
            [hashes] = await self._database.snapshot([(_HASHES, {"after": after})])
            if not hashes:
                return
            for [digest] in hashes:
                named = {"hash": digest}
                [chunks, arrivals] = await self._database.snapshot(
                    [(_CHUNKS, named), (_ARRIVALS, named)]
                )
                if not chunks and digest != _EMPTY and not arrivals:
                    continue  # it was pruned meanwhile
                is_sound = await asyncio.to_thread(_is_sound, digest, chunks)
                yield Verified(not is_sound, () if is_sound else tuple(row[0] for row in arrivals))
            after = hashes[-1][0]
