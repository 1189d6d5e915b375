"""The merge of one dataset: what is staged, and the statements that bring it in at once."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ClauseElement,
    Delete,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.schema import CreateTable

from adapters.sql.database import Row
from adapters.sql.dataset_tables import encoder_of, stage_of, table_of
from domain.dataset import CHANGED_AT, Dataset


class Merge(NamedTuple):
    """The statements of one dataset's intake."""

    create: ClauseElement
    clear: Delete
    stage: ClauseElement
    staged: Select[Any]
    updates: Select[Any]
    merge: ClauseElement


def staged_rows(dataset: Dataset[Any], records: Sequence[Any], receipt: int) -> Iterator[Row]:
    """The rows that stage these records: their values, the receipt, and a hash of the values."""
    own = [field for field in dataset.fields.values() if field is not CHANGED_AT]
    encoders = [(n, encode) for n, f in enumerate(own) if (encode := encoder_of(f)) is not None]
    for record in records:
        values = list(msgspec.structs.astuple(record))
        for place, encode in encoders:
            if values[place] is not None:
                values[place] = encode(values[place])
        digest = hashlib.blake2b(msgspec.msgpack.encode(values), digest_size=8).digest()
        yield (*values, receipt, int.from_bytes(digest, "big", signed=True))


@lru_cache(maxsize=256)
def merge_of(dataset: Dataset[Any]) -> Merge:
    """The statements of a dataset's intake; built once and then remembered."""
    stage, table = stage_of(dataset), table_of(dataset)
    own = [column.name for column in stage.c if not column.name.startswith("_")]
    incoming = (
        select(
            *(stage.c[name] for name in own),
            bindparam("source"),
            stage.c._receipt,
            stage.c._hash,
            bindparam("seq"),
            bindparam("changed_at"),
        )
        # SQLite reads ON after a SELECT without WHERE as part of a join.
        .where(true())
    )
    columns = [*own, "_source", "_receipt", "_hash", "_seq", CHANGED_AT.name]
    merge = upsert(table).from_select(columns, incoming)
    return Merge(
        create=CreateTable(stage, if_not_exists=True),
        clear=delete(stage),
        stage=insert(stage).prefix_with("OR REPLACE"),
        staged=select(func.count()).select_from(stage),
        updates=_updates(stage, table, dataset.key),
        merge=merge.on_conflict_do_update(
            index_elements=list(dataset.key),
            set_={name: merge.excluded[name] for name in columns if name not in dataset.key},
            where=_differs(table, merge.excluded),
        ),
    )


def _differs(table: Table, incoming: Any) -> Any:
    return and_(table.c._hash != incoming._hash, table.c._receipt <= incoming._receipt)


def _updates(stage: Table, table: Table, key: Sequence[str]) -> Select[Any]:
    same = and_(*(table.c[name] == stage.c[name] for name in key))
    joined = stage.join(table, same)
    return select(func.count()).select_from(joined).where(_differs(table, stage.c))
