"""The tables: those of the system, and the one every dataset gets from its `Dataset` value.

Times are whole microseconds since the epoch on every engine: exact, ordered, and free of zones.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, get_type_hints

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from domain.dataset import CHANGED_AT, Dataset
from domain.fields import Field, FieldType
from domain.jobs import JobStatus

#: SQLite numbers rows by itself only when the key is spelled INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

datasets = Table(
    "datasets",
    metadata,
    Column("name", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("layout", Text, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("dataset", String, nullable=False),
    Column("source", String, nullable=False),
    Column("fetched_at", BigInteger, nullable=False),
    Column("job_id", String, nullable=False),
    Column("url", Text, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("digest", String, nullable=False),
    Column("normaliser", String, nullable=False),
    Column("confirmations", Integer, nullable=False),
    Column("counts", Text, nullable=False),
    PrimaryKeyConstraint("dataset", "source"),
)

payloads = Table(
    "payloads",
    metadata,
    Column("hash", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
)

payload_chunks = Table(
    "payload_chunks",
    metadata,
    Column("hash", String, ForeignKey("payloads.hash", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("hash", "number"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("dataset", String, nullable=False),
    Column("source", String, nullable=False),
    Column("job_id", String, nullable=False),
    Column("url", Text, nullable=False),
    Column("page", Integer, nullable=False),
    Column("hash", String, ForeignKey("payloads.hash"), nullable=False),
    Column("content_type", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Index(None, "dataset", "source"),
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("dataset", String, nullable=False),
    Column("source", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("receipt", BigInteger, nullable=False),
    Column("pointer", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("excerpt", Text, nullable=False),
    Column("rejected_at", BigInteger, nullable=False),
    Index(None, "dataset", "source", "digest", unique=True),
)

_OPEN = "status IN ('queued', 'running')"
jobs = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("dataset", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("status", String, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("lease_until", BigInteger),
    Column("report", Text),
    CheckConstraint(f"status IN ({', '.join(repr(str(s)) for s in JobStatus)})", name="status"),
    CheckConstraint("(status = 'running') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint(f"({_OPEN}) = (finished_at IS NULL)", name="finished"),
    # One unfinished job a dataset: whoever asks for another is shown this one.
    Index(
        "ix_jobs_open",
        "dataset",
        unique=True,
        sqlite_where=text(_OPEN),
        postgresql_where=text(_OPEN),
    ),
    Index(None, "dataset", "finished_at"),
)

hosts = Table(
    "hosts",
    metadata,
    Column("host", String, primary_key=True),
    Column("arrival_s", Float, nullable=False),
    Column("blocked_until_s", Float, nullable=False),
    Column("outcomes", String, nullable=False),
    Column("open_until_s", Float, nullable=False),
    Column("open_for_s", Float, nullable=False),
    Column("credit", Float, nullable=False),
)

# ---------------------------------------------------------------- values on their way in and out

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """A time as whole microseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The time of so many microseconds since the epoch."""
    return _EPOCH + micros * _MICROSECOND


Codec = Callable[[Any], Any]

_ENCODE: dict[FieldType, Codec] = {
    FieldType.TIME: to_micros,
    FieldType.NUMBER: float,
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


def decoders_of(dataset: Dataset[Any]) -> list[tuple[int, Codec]]:
    """The columns of a row whose values must be turned back, by position."""
    hints = get_type_hints(dataset.record, include_extras=True)
    codecs = [_decoder_of(field, hints.get(name)) for name, field in dataset.fields.items()]
    return [(place, codec) for place, codec in enumerate(codecs) if codec is not None]


# ---------------------------------------------------------------- the table of a dataset

_COLUMN: dict[FieldType, Any] = {
    FieldType.INTEGER: Number,
    FieldType.NUMBER: Float,
    FieldType.BOOLEAN: Boolean(create_constraint=False),
    FieldType.TIME: BigInteger,
    FieldType.TEXT: Text(),
    FieldType.CHOICE: Text(),
    FieldType.TEXTS: Text(),
}

#: What the store itself notes of every row; `_changed_at` is one of the dataset's fields.
NOTES = ("_source", "_receipt", "_hash", "_seq")


@lru_cache(maxsize=256)
def table_of(dataset: Dataset[Any], name: str | None = None) -> Table:
    """The table that keeps a dataset's records."""
    name = name or f"d_{dataset.name}"
    own = [
        Column(field.name, _COLUMN[field.type], nullable=field.name not in dataset.key)
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
        *(Index(f"ix_{name}_{'_'.join(i)}", *i) for i in dataset.whole_indexes),
    )


@lru_cache(maxsize=256)
def stage_of(dataset: Dataset[Any]) -> Table:
    """The temporary table in which an intake waits for its merge."""
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
        PrimaryKeyConstraint(*dataset.key),
        prefixes=["TEMPORARY"],
    )


def layout_of(dataset: Dataset[Any]) -> str:
    """Describes a dataset's table, so that a later start can tell whether it still fits."""
    columns = {field.name: str(field.type) for field in dataset.fields.values()}
    layout = {"columns": columns, "key": dataset.key, "indexes": dataset.whole_indexes}
    return msgspec.json.encode(layout).decode()
