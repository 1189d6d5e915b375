"""One dataset in SQL: its tables, the encoding of its records, and its merge."""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, get_type_hints
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    ClauseElement,
    Column,
    ColumnElement,
    Delete,
    Float,
    Index,
    Insert,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    String,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateTable

from adapters.sql.engine.database import Row, SqlSession
from adapters.sql.schema.tables import Number, datasets, receipts
from application.ports.system import Clock
from domain.dataset import CHANGED_AT, Dataset
from domain.errors import StoreUnavailable
from domain.fields import Field, FieldType
from domain.layouts import Layout
from domain.times import from_micros, to_micros

Codec = Callable[[Any], Any]

# ---------------------------------------------------------------- values and columns

_ENCODE: dict[FieldType, Codec] = {
    FieldType.TIME: to_micros,
    # SQLite drops the sign of zero, so PostgreSQL and the hash must not keep it either.
    FieldType.NUMBER: (0.0).__add__,
    FieldType.TEXTS: lambda value: msgspec.json.encode(value).decode(),
}

#: Text sorted by bytes, with only ASCII letters folded, as in SQLite and Python.
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

_INT64 = struct.Struct(">q")
_pack = msgspec.msgpack.Encoder().encode
#: All records of one merge have the same time; converting it for each would be slow.
_changed_at = lru_cache(maxsize=256)(from_micros)


def encoder_of(field: Field) -> Codec | None:
    """Return the encoder of a field's values; None if its column stores them as they are."""
    return _ENCODE.get(field.type)


def _decoder_of(field: Field, hint: Any) -> Codec | None:
    if field.type is FieldType.TIME:
        return from_micros
    if field.type is FieldType.BOOLEAN:
        return bool
    return msgspec.json.Decoder(hint).decode if field.type is FieldType.TEXTS else None


# ---------------------------------------------------------------- the dataset

#: Changes of one dataset are serialised, so that their numbers have the order of their commits.
_LAST_CHANGE = (
    select(datasets.c.seq, datasets.c.changed_at, datasets.c.layout)
    .where(datasets.c.name == bindparam("of"))
    .with_for_update()
)
_NOTE_CHANGE = (
    update(datasets)
    .where(datasets.c.name == bindparam("of"))
    .values(seq=bindparam("next"), changed_at=bindparam("at"))
)


class ChangeStamp(NamedTuple):
    """The sequence number and the time in microseconds of one transaction's change."""

    seq: int
    at: int


class MergeStatements(NamedTuple):
    """The statements of one dataset's intake, in the order in which they run."""

    create: ClauseElement
    stage: Insert
    drop_repeats: Delete
    drop_gone: Delete
    update: Update
    insert: Insert
    clear: Delete


class SqlDataset:
    """Everything that SQL needs for one dataset, built once for each `Dataset` value.

    It is released together with the dataset, and therefore never refers to it.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.name = dataset.name
        self.key = dataset.key
        #: Whether of the records of one key the first to arrive is stored, not the last.
        self.keeps_first = dataset.keeps_first
        self.layout = Layout.of(dataset)
        #: The layout as stored in the table of datasets.
        self.layout_text = msgspec.json.encode(self.layout).decode()
        self.table = _table(dataset)
        #: The columns of the dataset's fields, in their order.
        self.columns = [self.table.c[name] for name in dataset.fields]
        #: The places of texts among the columns: the only values of any size.
        self.text_positions = [
            at
            for at, field in enumerate(dataset.fields.values())
            if field.type in (FieldType.TEXT, FieldType.TEXTS)
        ]
        #: Whether the key is one integer. SQLite's indexes then end in the row id instead of a key
        #: column: sorted by it, but not searchable by a row value that ends in it.
        self.is_numbered = [dataset.fields[n].type for n in self.key] == [FieldType.INTEGER]
        #: The statements that read pages, by engine and shape of the request.
        self.pages: dict[Any, Any] = {}
        self._row = dataset.row
        self._own = [field for field in dataset.fields.values() if field is not CHANGED_AT]
        hints = get_type_hints(dataset.record, include_extras=True)
        decoders = ((n, _decoder_of(f, hints[f.name])) for n, f in enumerate(self._own))
        self._decoders = [(index, decode) for index, decode in decoders if decode is not None]
        encoders = ((n, encoder_of(f)) for n, f in enumerate(self._own))
        self._encoders = [(index, encode) for index, encode in encoders if encode is not None]

    @classmethod
    def of(cls, dataset: Dataset[Any]) -> "SqlDataset":
        """Return the SQL side of a dataset, built once."""
        known = _KNOWN.get(dataset)
        if known is None:
            known = _KNOWN[dataset] = cls(dataset)
        return known

    def fits(self, layout: str) -> bool:
        """Return whether a table of that layout has every column of the dataset."""
        if layout == self.layout_text:
            return True
        return msgspec.json.decode(layout, type=Layout).serves(self.layout)

    def require_layout(self, layout: str) -> None:
        """Raise StoreUnavailable unless a table of that layout has every column of the dataset."""
        if not self.fits(layout):
            raise StoreUnavailable(f"the fields of {self.name} have been changed; try again")

    def decoded(self, rows: Sequence[Row]) -> list[Any]:
        """Return rows of the columns of all fields as the dataset's stored records."""
        decoders, row_type = self._decoders, self._row
        if not decoders:
            return [row_type(*own, _changed_at(changed_at)) for *own, changed_at in rows]
        decoded = []
        for *values, changed_at in rows:
            for index, decode in decoders:
                if values[index] is not None:
                    values[index] = decode(values[index])
            decoded.append(row_type(*values, _changed_at(changed_at)))
        return decoded

    def staged(self, records: Sequence[Any], receipt: int, start: int) -> Iterator[Row]:
        """Yield the staged rows of records: values, receipt, hash, and a number from `start`.

        Numbers go down where the first of a key counts: of each key the highest one is merged.
        """
        sign = -1 if self.keeps_first else 1
        for number, record in enumerate(records, start):
            values: Sequence[Any] = msgspec.structs.astuple(record)
            if self._encoders:
                values = self._encoded(values)
            digest = hashlib.blake2b(_pack(values), digest_size=8).digest()
            yield (*values, receipt, *_INT64.unpack(digest), sign * number)

    def _encoded(self, values: Sequence[Any]) -> Sequence[Any]:
        encoded = list(values)
        for index, encode in self._encoders:
            if encoded[index] is not None:
                encoded[index] = encode(encoded[index])
        return encoded

    @cached_property
    def by_key(self) -> Select[Any]:
        """The statement that reads a record by its key, from parameters named `key_<field>`."""
        columns = [self.table.c[name] for name in self.key]
        same = (column == bindparam(f"key_{column.name}", type_=column.type) for column in columns)
        return select(*self.columns).where(*same)

    @cached_property
    def stage(self) -> Table:
        """The temporary table of records to be merged; `_number` is the order of their arrival."""
        return Table(
            f"stage_{self.name}",
            MetaData(),
            *(Column(field.name, _COLUMN[field.type]) for field in self._own),
            Column("_receipt", BigInteger),
            Column("_hash", BigInteger),
            Column("_number", BigInteger),
            prefixes=["TEMPORARY"],
        )

    @cached_property
    def merge(self) -> MergeStatements:
        """The statements that stage records and merge them."""
        stage, table = self.stage, self.table
        incoming: dict[str, Any] = {
            **{column.name: column for column in stage.c if column.name != "_number"},
            "_source": bindparam("source", type_=table.c._source.type),
            "_seq": bindparam("seq", type_=table.c._seq.type),
            CHANGED_AT.name: bindparam("changed_at", type_=table.c[CHANGED_AT.name].type),
        }
        same = and_(*(table.c[name] == stage.c[name] for name in self.key))
        # The one that counts less, by the order in which they arrived.
        less, more = (stage, table) if self.keeps_first else (table, stage)
        newer = and_(table.c._hash != stage.c._hash, less.c._receipt <= more.c._receipt)
        added = select(*incoming.values()).select_from(stage)
        return MergeStatements(
            create=CreateTable(stage, if_not_exists=True),
            stage=insert(stage),
            drop_repeats=delete(stage).where(_is_repeated_later(stage, self.key)),
            drop_gone=_deletion_of_gone(table, stage, self.key, self.keeps_first),
            update=update(table)
            .where(same, newer)
            .values({name: value for name, value in incoming.items() if name not in self.key}),
            # SQLite parses ON after a SELECT without WHERE as part of a join.
            insert=insert(table)
            .from_select(list(incoming), added.where(true()))
            .on_conflict_do_nothing(),
            clear=delete(stage),
        )

    async def next_change(self, session: SqlSession, clock: Clock) -> ChangeStamp:
        """Return the stamp of this transaction's change, and lock the dataset until its end.

        Raise StoreUnavailable if the table has another layout; it cannot change before the end.

        The time is later than that of the last change, even if another machine's clock is fast or
        ours was set back, so that reading on from the last time seen misses no record.
        """
        [[seq, at, layout]] = await session.rows(_LAST_CHANGE, {"of": self.name})
        self.require_layout(layout)
        return ChangeStamp(int(seq) + 1, max(to_micros(clock.now()), int(at) + 1))

    async def note_change(self, session: SqlSession, change: ChangeStamp) -> None:
        """Record a change as the dataset's last one, because records have changed."""
        named = {"of": self.name, "next": change.seq, "at": change.at}
        await session.run(_NOTE_CHANGE, named)


_KNOWN: WeakKeyDictionary[Dataset[Any], SqlDataset] = WeakKeyDictionary()

# ---------------------------------------------------------------- its tables

#: PostgreSQL truncates longer names, which could make two of them equal.
_LONGEST_NAME = 63


def _table(dataset: Dataset[Any]) -> Table:
    name = f"d_{dataset.name}"
    own = [
        # The key comes from the records; the database must not number them.
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


def _index_name(table: str, fields: Sequence[str]) -> str:
    name = f"ix_{table}__{'__'.join(fields)}"
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    return f"{name[: _LONGEST_NAME - len(digest) - 1]}_{digest}"


def _deletion_of_gone(table: Table, stage: Table, key: Sequence[str], keeps_first: bool) -> Delete:
    """Return the deletion of a source's rows whose payload is kept but did not stage them again.

    A receipt that is left means that its payload is left: both are pruned together.
    """
    merged = select(receipts.c.id).where(
        receipts.c.dataset == bindparam("of"),
        receipts.c.source == bindparam("by"),
        receipts.c.merged,
    )
    stored = table.alias("stored")
    same = and_(*(stored.c[name] == stage.c[name] for name in key))
    less, more = (stage, stored) if keeps_first else (stored, stage)
    again = (
        select(*(stored.c[name] for name in key))
        .join_from(stage, stored, same)
        .where(less.c._receipt <= more.c._receipt)
    )
    names = [table.c[name] for name in key]
    row: Any = tuple_(*names) if len(names) > 1 else names[0]
    return delete(table).where(table.c._receipt.in_(merged), row.not_in(again))


def _is_repeated_later(stage: Table, key: Sequence[str]) -> ColumnElement[bool]:
    """Return whether a row of the same key was staged after this one."""
    columns = [stage.c[name] for name in key]
    repeated = (
        select(*columns, func.max(stage.c._number).label("last"))
        .group_by(*columns)
        .having(func.count() > 1)
        .subquery()
    )
    same = (repeated.c[name] == stage.c[name] for name in key)
    later: Select[Any] = select(literal_column("1")).where(*same, stage.c._number < repeated.c.last)
    return exists(later.correlate(stage))
