"""Retention over SQL: old rows are found by an index and deleted by their keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Delete,
    Select,
    Text,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
)

from adapters.sql.engine.database import Database, SqlSession, Values
from adapters.sql.engine.dialects import listed
from adapters.sql.ingest.payloads import CHUNK
from adapters.sql.schema.tables import (
    api_tokens,
    attempts,
    checkpoints,
    client_limits,
    idempotency,
    jobs,
    payloads,
    quarantine,
    receipts,
    sessions,
)
from application.ports.operations import Retention
from domain.retention import NETWORKS_KEPT, RetainedKind
from domain.times import MICROSECOND, to_micros

_BEFORE = bindparam("before", type_=BigInteger())
_THESE = bindparam("these", type_=Text())


_NETWORKS_KEPT_US = NETWORKS_KEPT // MICROSECOND


class _Statements(NamedTuple):
    """The statements that find and delete the old rows of one kind."""

    find: Select[Any]
    delete: Delete


def _statements(key: Column[Any], at: Column[Any], *unneeded: ColumnElement[bool]) -> _Statements:
    """Return the statements for a table, oldest first, skipping rows that are being deleted."""
    old = select(key).where(at < _BEFORE, *unneeded).order_by(at).limit(bindparam("most"))
    deletion = delete(key.table).where(listed(key, _THESE))
    return _Statements(old.with_for_update(skip_locked=True), deletion)


_other = jobs.alias("other")
_LAST_END = select(func.max(_other.c.finished_at)).where(_other.c.dataset == jobs.c.dataset)
_STATEMENTS = {
    RetainedKind.QUARANTINE: _statements(quarantine.c.id, quarantine.c.rejected_at),
    RetainedKind.JOBS: _statements(
        jobs.c.id,
        jobs.c.finished_at,
        jobs.c.finished_at < _LAST_END.scalar_subquery(),
        ~exists().where(checkpoints.c.job_id == jobs.c.id),
    ),
    RetainedKind.KEYS: _statements(idempotency.c.key, idempotency.c.begun_at),
    # Their refresh tokens are deleted by the foreign key.
    RetainedKind.SESSIONS: _statements(sessions.c.id, sessions.c.expires_at),
    RetainedKind.TOKENS: _statements(api_tokens.c.id, api_tokens.c.expires_at),
    RetainedKind.GUESSES: _statements(
        attempts.c.key,
        attempts.c.seen_at,
        or_(~attempts.c.known, attempts.c.seen_at < _BEFORE - _NETWORKS_KEPT_US),
    ),
    RetainedKind.CLIENTS: _statements(client_limits.c.client, client_limits.c.full_at),
}

_newest = receipts.alias("newest")
_NEWEST_JOB = (
    select(_newest.c.job_id)
    .where(
        _newest.c.dataset == receipts.c.dataset,
        _newest.c.source == receipts.c.source,
        _newest.c.merged,
    )
    .order_by(_newest.c.id.desc())
    .limit(1)
)
_OLD_RECEIPTS = (
    select(receipts.c.id, receipts.c.hash, payloads.c.size)
    .join(payloads, payloads.c.hash == receipts.c.hash)
    .where(
        receipts.c.received_at < _BEFORE,
        receipts.c.job_id.is_distinct_from(_NEWEST_JOB.scalar_subquery()),
        ~exists().where(jobs.c.id == receipts.c.job_id, jobs.c.finished_at.is_(None)),
        ~exists().where(quarantine.c.receipt == receipts.c.id),
    )
    .order_by(receipts.c.received_at, receipts.c.id)
    .limit(bindparam("most"))
    # Skips a body that is just arriving again, because its intake has locked it.
    .with_for_update(of=[receipts, payloads], skip_locked=True)
)
_DELETE_RECEIPTS = delete(receipts).where(listed(receipts.c.id, _THESE))
#: Their chunks are deleted by the foreign key.
_DELETE_BODIES = delete(payloads).where(
    listed(payloads.c.hash, _THESE), ~exists().where(receipts.c.hash == payloads.c.hash)
)


class SqlRetention(Retention):
    """Deletion of old rows in a SQL database; one lost in a crash is repeated later."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prune(self, kept: RetainedKind, before: datetime, most: int) -> int:
        """Delete some of the rows older than `before`."""
        named = {"before": to_micros(before), "most": most}
        async with self._database.write(durable=False) as session:
            if kept is RetainedKind.PAYLOADS:
                return await _prune_payloads(session, named)
            statements = _STATEMENTS[kept]
            old = await session.rows(statements.find, named)
            if old:
                await session.run(statements.delete, {"these": _json([key for [key] in old])})
            return len(old)


async def _prune_payloads(session: SqlSession, named: Values) -> int:
    most = named["most"]
    # Each is at least two rows: its own, and its body's.
    found = await session.rows(_OLD_RECEIPTS, {**named, "most": max(1, most // 2)})
    old = _up_to(found, most)
    if old:
        await session.run(_DELETE_RECEIPTS, {"these": _json([receipt for receipt, _, _ in old])})
        await session.run(_DELETE_BODIES, {"these": _json([digest for _, digest, _ in old])})
    return len(old)


def _up_to(old: Sequence[Any], most: int) -> Sequence[Any]:
    """Return the first receipts with at most so many rows, bodies included; at least one."""
    rows = 0
    for count, (_, _, size) in enumerate(old):
        rows += 2 + -(-size // CHUNK)
        if rows > most and count:
            return old[:count]
    return old


def _json(keys: Sequence[Any]) -> str:
    return msgspec.json.encode(keys).decode()
