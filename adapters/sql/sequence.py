"""The sequence number of a dataset, which rises with every transaction that changes its records."""

from typing import Any

from sqlalchemy import bindparam, select, update

from adapters.sql.database import Session
from adapters.sql.tables import datasets
from domain.dataset import Dataset

#: Those who change one dataset follow each other, so that its numbers are in the order of commits.
_SEQ = select(datasets.c.seq).where(datasets.c.name == bindparam("of")).with_for_update()
_MOVE_SEQ = update(datasets).where(datasets.c.name == bindparam("of")).values(seq=bindparam("next"))


async def next_seq(session: Session, dataset: Dataset[Any]) -> int:
    """The number of this transaction's changes; nobody else can draw it until the end."""
    [[seq]] = await session.rows(_SEQ, {"of": dataset.name})
    return int(seq) + 1


async def move_seq(session: Session, dataset: Dataset[Any], seq: int) -> None:
    """Let the number that was drawn be the dataset's, because records have changed."""
    await session.run(_MOVE_SEQ, {"of": dataset.name, "next": seq})
