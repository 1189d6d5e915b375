"""Payloads over SQL: bodies as they came, each kept once, in pieces, and their receipts."""

import hashlib
import zlib
from collections.abc import AsyncIterator
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.database import Row, Session
from adapters.sql.tables import from_micros, payload_chunks, payloads, receipts, to_micros
from domain.jobs import FetchJob
from domain.payloads import Payload

#: A body is kept in compressed pieces of at most this many bytes before compression.
CHUNK = 1024 * 1024

#: A body that is there already stays until this arrival of it is noted, too.
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
_MERGED = (
    select(receipts, payloads.c.size)
    .join(payloads, payloads.c.hash == receipts.c.hash)
    .where(
        receipts.c.dataset == bindparam("dataset"),
        receipts.c.source == bindparam("source"),
        receipts.c.merged,
    )
    .order_by(receipts.c.id)
)
_CHUNKS = (
    select(payload_chunks.c.data)
    .where(payload_chunks.c.hash == bindparam("hash"))
    .order_by(payload_chunks.c.number)
)


class Packed(NamedTuple):
    """A body ready to be kept: its hash, its size, and its pieces as rows."""

    digest: str
    size: int
    chunks: list[Row]


def pack(body: bytes) -> Packed:
    """Compress a body; large ones take long enough to belong on a thread."""
    digest = hashlib.sha256(body).hexdigest()
    chunks: list[Row] = [
        (digest, number, zlib.compress(body[start : start + CHUNK], level=1))
        for number, start in enumerate(range(0, len(body), CHUNK))
    ]
    return Packed(digest, len(body), chunks)


async def receive(
    session: Session, job: FetchJob, source: str, payload: Payload, packed: Packed
) -> int:
    """Keep a body, unless the same one is kept already, and note its arrival; gives the receipt."""
    body = {"hash": packed.digest, "size": packed.size}
    if not await session.rows(_HOLD_PAYLOAD, body) and await session.run(_KEEP_PAYLOAD, body):
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
    return int(receipt)


async def merged(session: Session, dataset: str, source: str) -> AsyncIterator[Payload]:
    """Every payload of a source whose fetch was committed, oldest receipt first."""
    for row in await session.rows(_MERGED, {"dataset": dataset, "source": source}):
        receipt = dict(zip((*receipts.c.keys(), "size"), row, strict=True))
        chunks = await session.rows(_CHUNKS, {"hash": receipt["hash"]})
        if receipt["size"] and not chunks:
            continue  # it was old enough to be pruned meanwhile
        yield Payload(
            url=receipt["url"],
            body=b"".join(zlib.decompress(data) for [data] in chunks),
            content_type=receipt["content_type"],
            received_at=from_micros(receipt["received_at"]),
            page=receipt["page"],
            receipt=receipt["id"],
        )
