"""The merge of one dataset: what is staged, and the statements that bring it in at once."""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Delete,
    Insert,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateTable

from adapters.sql.engine.database import Row
from adapters.sql.schema.dataset_tables import Codec, encoder_of, stage_of, table_of
from domain.dataset import CHANGED_AT, Dataset

_INT64 = struct.Struct(">q")


class Merge(NamedTuple):
    """The statements of one dataset's intake, in the order in which they run."""

    stage: Table
    create: ClauseElement
    drop_repeats: Delete
    update: Update
    insert: Insert
    clear: Delete


def staged_rows(
    dataset: Dataset[Any], records: Sequence[Any], receipt: int, first_place: int
) -> Iterator[Row]:
    """The rows that stage records: their values, the receipt, a hash of the values, the place."""
    own = [field for field in dataset.fields.values() if field is not CHANGED_AT]
    encoders = [(n, encode) for n, f in enumerate(own) if (encode := encoder_of(f)) is not None]
    pack = msgspec.msgpack.Encoder().encode
    for place, record in enumerate(records, first_place):
        values: Sequence[Any] = msgspec.structs.astuple(record)
        if encoders:
            values = _encoded(values, encoders)
        digest = hashlib.blake2b(pack(values), digest_size=8).digest()
        yield (*values, receipt, *_INT64.unpack(digest), place)


def _encoded(values: Sequence[Any], encoders: Sequence[tuple[int, Codec]]) -> Sequence[Any]:
    encoded = list(values)
    for column, encode in encoders:
        if encoded[column] is not None:
            encoded[column] = encode(encoded[column])
    return encoded


@lru_cache(maxsize=256)
def merge_of(dataset: Dataset[Any]) -> Merge:
    """The statements of a dataset's intake; built once and then remembered."""
    stage, table = stage_of(dataset), table_of(dataset)
    incoming: dict[str, Any] = {
        **{column.name: column for column in stage.c if column.name != "_place"},
        "_source": bindparam("source", type_=table.c._source.type),
        "_seq": bindparam("seq", type_=table.c._seq.type),
        CHANGED_AT.name: bindparam("changed_at", type_=table.c[CHANGED_AT.name].type),
    }
    same = and_(*(table.c[name] == stage.c[name] for name in dataset.key))
    newer = and_(table.c._hash != stage.c._hash, table.c._receipt <= stage.c._receipt)
    added = select(*incoming.values()).select_from(stage)
    return Merge(
        stage=stage,
        create=CreateTable(stage, if_not_exists=True),
        drop_repeats=delete(stage).where(_comes_again(stage, dataset.key)),
        update=update(table)
        .where(same, newer)
        .values({name: value for name, value in incoming.items() if name not in dataset.key}),
        # SQLite reads ON after a SELECT without WHERE as part of a join.
        insert=insert(table)
        .from_select(list(incoming), added.where(true()))
        .on_conflict_do_nothing(),
        clear=delete(stage),
    )


def _comes_again(stage: Table, key: Sequence[str]) -> ColumnElement[bool]:
    """Whether a row of the same key comes after this one."""
    columns = [stage.c[name] for name in key]
    repeated = (
        select(*columns, func.max(stage.c._place).label("last"))
        .group_by(*columns)
        .having(func.count() > 1)
        .subquery()
    )
    same = (repeated.c[name] == stage.c[name] for name in key)
    later: Select[Any] = select(literal_column("1")).where(*same, stage.c._place < repeated.c.last)
    return exists(later.correlate(stage))
