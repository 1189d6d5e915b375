"""Rejections over SQL: put into quarantine, each once, and released when they are none any more."""

import hashlib
from collections.abc import Collection, Iterator, Sequence

import msgspec
from sqlalchemy import bindparam, case, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.sql.engine.database import Row, Session
from adapters.sql.schema.tables import quarantine
from domain.payloads import Payload
from domain.reports import Rejection

_REJECTED = tuple(column.name for column in quarantine.c if column.name != "id")
_REJECT = upsert(quarantine).values({name: bindparam(name) for name in _REJECTED})
_REJECT = _REJECT.on_conflict_do_update(
    index_elements=["dataset", "source", "digest"],
    set_={
        # An old payload that is read again is not where it was seen last.
        "receipt": case(
            (quarantine.c.receipt > _REJECT.excluded.receipt, quarantine.c.receipt),
            else_=_REJECT.excluded.receipt,
        ),
        "rejected_at": _REJECT.excluded.rejected_at,
    },
)
_WAITING = select(quarantine.c.id, quarantine.c.digest, quarantine.c.receipt).where(
    quarantine.c.dataset == bindparam("of"), quarantine.c.source == bindparam("by")
)
_RELEASE = delete(quarantine).where(quarantine.c.id == bindparam("rejection"))


class Rejections:
    """What one intake rejects; `dataset` and `source` are whose it is."""

    def __init__(self, session: Session, dataset: str, source: str) -> None:
        self._session = session
        self._dataset = dataset
        self._source = source
        self._digests: set[str] = set()

    async def add(self, rejections: Sequence[Rejection], payload: Payload, now: int) -> None:
        """Put some into quarantine within a transaction; what is there is only seen again."""
        rows = [self._row(rejection, payload, now) for rejection in rejections]
        await self._session.many(_REJECT, rows)

    def _row(self, rejection: Rejection, payload: Payload, now: int) -> Row:
        digest = _digest(rejection, payload.page)
        self._digests.add(digest)
        named = {
            **msgspec.structs.asdict(rejection),
            "dataset": self._dataset,
            "source": self._source,
            "digest": digest,
            "receipt": payload.receipt,
            "rejected_at": now,
        }
        return tuple(named[name] for name in _REJECTED)

    async def release(self, receipts: Collection[int]) -> None:
        """Within a transaction, release what waits of these payloads and was not rejected here."""
        named = {"of": self._dataset, "by": self._source}
        waiting = await self._session.rows(_WAITING, named)
        gone: Iterator[Row] = (
            (rejection,)
            for rejection, digest, receipt in waiting
            if receipt in receipts and digest not in self._digests
        )
        await self._session.many(_RELEASE, list(gone))


def _digest(rejection: Rejection, page: int) -> str:
    # Alike on two pages of one fetch, they are two.
    told = msgspec.json.encode(rejection) + (b"%d" % page if page else b"")
    return hashlib.blake2b(told, digest_size=16).hexdigest()
