"""The table of a dataset, and how a record's values are written to its columns."""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, get_type_hints

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from adapters.sql.engine.database import Row
from adapters.sql.engine.times import from_micros, to_micros
from adapters.sql.schema.tables import Number
from domain.dataset import CHANGED_AT, Dataset
from domain.fields import Field, FieldType

Codec = Callable[[Any], Any]

_ENCODE: dict[FieldType, Codec] = {
    FieldType.TIME: to_micros,
    # SQLite keeps no sign of zero, and nothing else shall tell the two zeros apart.
    FieldType.NUMBER: (0.0).__add__,
    FieldType.TEXTS: lambda value: msgspec.json.encode(value).decode(),
}


def encoder_of(field: Field) -> Codec | None:
    """How a field's value is written to its column; None when it is written as it is."""
    return _ENCODE.get(field.type)


def _decoder_of(field: Field, hint: Any) -> Codec | None:
    if field.type is FieldType.TIME:
        return from_micros
    if field.type is FieldType.BOOLEAN:
        return bool
    return msgspec.json.Decoder(hint).decode if field.type is FieldType.TEXTS else None


#: What came in one merge has one time; making it anew for each record would take long.
_changed_at = lru_cache(maxsize=256)(from_micros)


@lru_cache(maxsize=256)
def _decoders_of(dataset: Dataset[Any]) -> list[tuple[int, Codec]]:
    """The record's own columns whose values must be turned back, by position."""
    hints = get_type_hints(dataset.record, include_extras=True)
    codecs = [_decoder_of(dataset.fields[name], hint) for name, hint in hints.items()]
    return [(place, codec) for place, codec in enumerate(codecs) if codec is not None]


def decoded(dataset: Dataset[Any], rows: Sequence[Row]) -> list[Any]:
    """Rows with all fields of a dataset, in their order, as `dataset.row` has them."""
    decoders, row_type = _decoders_of(dataset), dataset.row
    if not decoders:
        return [row_type(*own, _changed_at(changed_at)) for *own, changed_at in rows]
    turned = []
    for *values, changed_at in rows:
        for place, decode in decoders:
            if values[place] is not None:
                values[place] = decode(values[place])
        turned.append(row_type(*values, _changed_at(changed_at)))
    return turned


# ---------------------------------------------------------------- the table of a dataset

#: Text in the order of its bytes, and folded in ASCII alone, as it is in SQLite and in Python.
_PLAIN_TEXT = Text().with_variant(Text(collation="C"), "postgresql")

_COLUMN: dict[FieldType, Any] = {
    FieldType.INTEGER: Number,
    FieldType.NUMBER: Float,
    FieldType.BOOLEAN: Boolean(create_constraint=False),
    FieldType.TIME: BigInteger,
    FieldType.TEXT: _PLAIN_TEXT,
    FieldType.CHOICE: _PLAIN_TEXT,
    FieldType.TEXTS: _PLAIN_TEXT,
}

#: PostgreSQL cuts a longer name off, and then two may be the same.
_LONGEST_NAME = 63


@lru_cache(maxsize=256)
def table_of(dataset: Dataset[Any], name: str | None = None) -> Table:
    """The table that keeps a dataset's records."""
    name = name or f"d_{dataset.name}"
    own = [
        # The key comes from the records; no engine may number them.
        Column(
            field.name,
            _COLUMN[field.type],
            nullable=field.name not in dataset.key,
            autoincrement=False,
        )
        for field in dataset.fields.values()
        if field is not CHANGED_AT
    ]
    return Table(
        name,
        MetaData(),
        *own,
        Column("_source", String, nullable=False),
        Column("_receipt", BigInteger, nullable=False),
        Column("_hash", BigInteger, nullable=False),
        Column("_seq", BigInteger, nullable=False),
        Column(CHANGED_AT.name, BigInteger, nullable=False),
        PrimaryKeyConstraint(*dataset.key),
        *(Index(_index_name(name, fields), *fields) for fields in dataset.whole_indexes),
    )


def is_numbered(dataset: Dataset[Any]) -> bool:
    """Whether the key is one number: SQLite then has no column of that name in its indexes.

    An index still leads to it after equal values, but not by a row value that ends in it.
    """
    return [dataset.fields[name].type for name in dataset.key] == [FieldType.INTEGER]


def _index_name(table: str, fields: Sequence[str]) -> str:
    name = f"ix_{table}__{'__'.join(fields)}"
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{name[: _LONGEST_NAME - len(digest) - 1]}_{digest}"


@lru_cache(maxsize=256)
def stage_of(dataset: Dataset[Any]) -> Table:
    """The temporary table in which an intake waits for its merge; `_place` tells what came last."""
    own = [
        Column(field.name, _COLUMN[field.type])
        for field in dataset.fields.values()
        if field is not CHANGED_AT
    ]
    return Table(
        f"stage_{dataset.name}",
        MetaData(),
        *own,
        Column("_receipt", BigInteger),
        Column("_hash", BigInteger),
        Column("_place", BigInteger),
        prefixes=["TEMPORARY"],
    )


def layout_of(dataset: Dataset[Any]) -> str:
    """Describes a dataset's table, so that a later start can tell whether it still fits."""
    columns = {field.name: str(field.type) for field in dataset.fields.values()}
    layout = {"columns": columns, "key": dataset.key, "indexes": dataset.whole_indexes}
    return msgspec.json.encode(layout).decode()
