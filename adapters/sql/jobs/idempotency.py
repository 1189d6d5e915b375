"""Idempotency keys over SQL: one row each, taken by inserting it."""

import msgspec
from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Database
from adapters.sql.engine.dialects import now
from adapters.sql.schema.tables import idempotency
from application.ports.jobs import ABANDONED, KEPT, Begun, Idempotency, SavedAnswer
from application.ports.system import Clock
from domain.errors import KeyInUse, KeyReused
from domain.times import MICROSECOND

#: How many expired keys are deleted with each new one.
_SWEPT = 10

_columns = idempotency.c
_EXPIRED = (
    select(_columns.key)
    .where(_columns.begun_at <= now() - KEPT // MICROSECOND)
    .order_by(_columns.begun_at)
    .limit(_SWEPT)
)
_DELETE_EXPIRED = delete(idempotency).where(_columns.key.in_(_EXPIRED))
_DELETE_SAME_EXPIRED = delete(idempotency).where(
    _columns.key == bindparam("of"), _columns.begun_at <= now() - KEPT // MICROSECOND
)
_TAKE = (
    upsert(idempotency)
    .values(
        key=bindparam("of"), request=bindparam("request"), job_id=bindparam("job"), begun_at=now()
    )
    .on_conflict_do_nothing()
)
_TAKE_OVER = (
    update(idempotency)
    .where(
        _columns.key == bindparam("of"),
        _columns.answer.is_(None),
        # Further ahead than that was begun by a clock that has been set back since.
        or_(
            _columns.begun_at <= now() - ABANDONED // MICROSECOND,
            _columns.begun_at >= now() + ABANDONED // MICROSECOND,
        ),
    )
    .values(begun_at=now())
)
_GET = select(_columns.request, _columns.job_id, _columns.answer).where(
    _columns.key == bindparam("of")
)
_END = (
    update(idempotency).where(_columns.key == bindparam("of")).values(answer=bindparam("response"))
)
#: Back-dates the key so that it counts as abandoned.
_RELEASE = (
    update(idempotency)
    .where(_columns.key == bindparam("of"))
    .values(begun_at=_columns.begun_at - ABANDONED // MICROSECOND)
)
_ABANDON = delete(idempotency).where(_columns.key == bindparam("of"), _columns.answer.is_(None))


class SqlIdempotency(Idempotency):
    """Idempotency keys in a SQL database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, key: str, request: str, job_id: str) -> Begun:
        """Take a key for a request, or return its saved answer."""
        async with self._database.write() as session:
            now = self._database.now(self._clock)
            named = {"of": key, "request": request, "job": job_id, "now": now}
            writes = [(write, named) for write in (_DELETE_EXPIRED, _DELETE_SAME_EXPIRED, _TAKE)]
            [*_, taken] = await session.run_all(writes)
            if taken:
                return Begun(job_id)
            rows = await session.rows(_GET, named)
            if not rows:
                raise KeyInUse("this Idempotency-Key has just expired; send the request again")
            [[known, given, answer]] = rows
            if known != request:
                raise KeyReused("this Idempotency-Key came with another request before")
            if answer is not None:
                return Begun(given, msgspec.msgpack.decode(answer, type=SavedAnswer))
            if not await session.run(_TAKE_OVER, named):
                raise KeyInUse("the first request with this Idempotency-Key is being answered")
            return Begun(given)

    async def end(self, key: str, answer: SavedAnswer) -> None:
        """Save the answer."""
        async with self._database.write() as session:
            await session.run(_END, {"of": key, "response": msgspec.msgpack.encode(answer)})

    async def abandon(self, key: str) -> None:
        """Delete a key whose request had no effect."""
        async with self._database.write() as session:
            await session.run(_ABANDON, {"of": key})

    async def release(self, key: str) -> None:
        """Allow a request with an unknown result to be repeated."""
        async with self._database.write() as session:
            await session.run(_RELEASE, {"of": key})
