"""The system tables."""

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
    false,
    text,
)

from domain.jobs import JobStatus
from domain.reports import Counts

#: SQLite generates row numbers only for a key of the exact type INTEGER.
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
    Column("changed_at", BigInteger, server_default=text("0"), nullable=False),
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
    Column("normaliser", String, key="normaliser_version", nullable=False),
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
    Column("merged", Boolean, nullable=False),
    Index(None, "dataset", "source"),
    Index(None, "dataset", "source", "merged", "id"),
    Index(None, "received_at"),
    Index(None, "hash"),
    Index(None, "job_id"),
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
    Index(None, "receipt"),
    Index(None, "rejected_at"),
)

_OPEN = "status IN ('queued', 'running')"
jobs = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("dataset", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("force", Boolean, nullable=False, server_default=false()),
    Column("receipt", BigInteger),
    Column("status", String, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("queued_at", BigInteger, nullable=False),
    Column("run_at", BigInteger),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("lease_until", BigInteger),
    Column("report", Text),
    Column("traceparent", String),
    CheckConstraint(f"status IN ({', '.join(repr(str(s)) for s in JobStatus)})", name="status"),
    CheckConstraint("(status = 'running') = (lease_until IS NOT NULL)", name="lease"),
    CheckConstraint(f"({_OPEN}) = (finished_at IS NULL)", name="finished"),
    # One unfinished job a dataset: a request for another returns this one.
    Index(
        "ix_jobs_open",
        "dataset",
        unique=True,
        sqlite_where=text(_OPEN),
        postgresql_where=text(_OPEN),
    ),
    Index(None, "dataset", "finished_at"),
    Index(None, "finished_at"),
)

source_totals = Table(
    "source_totals",
    metadata,
    Column("dataset", String, nullable=False),
    Column("source", String, nullable=False),
    Column("runs", BigInteger, nullable=False),
    Column("last_run_at", BigInteger, nullable=False),
    Column("last_status", String, nullable=False),
    Column("last_success_at", BigInteger),
    Column("last_error", Text),
    *(Column(n, BigInteger, nullable=False) for n in Counts.__struct_fields__ if n != "held"),
    Column("held", BigInteger, server_default=text("0"), nullable=False),
    PrimaryKeyConstraint("dataset", "source"),
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
    # Grows with every change, so that a change to an outdated state is noticed and repeated.
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    # When the row was changed last, which shows whether the clock was set back since.
    Column("seen_at_s", Float, nullable=False, server_default=text("0")),
)

repositories = Table(
    "repositories",
    metadata,
    Column("name", String, primary_key=True),
    # GitHub's answer as JSON.
    Column("told", Text, key="result", nullable=False),
    Column("told_at", BigInteger, key="since", nullable=False),
    Column("looked_at", BigInteger, key="checked_at", nullable=False),
    Index(None, "checked_at"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("dataset", String, primary_key=True),
    Column("every", BigInteger, nullable=False),
    Column("tick_at", BigInteger, nullable=False),
    Column("next_run_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    # When it was set to that, which shows that a clock was set back since.
    Column("moved_at", BigInteger, nullable=False, server_default=text("0")),
)

alarms = Table(
    "alarms",
    metadata,
    Column("kind", String, nullable=False),
    Column("dataset", String, nullable=False),
    # Empty for an alarm about the whole dataset.
    Column("source", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("raised", Boolean, nullable=False),
    Column("told", Boolean, key="delivered", nullable=False),
    Column("watched_since", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("taken_until", BigInteger, key="claimed_until"),
    PrimaryKeyConstraint("kind", "dataset", "source"),
)


users = Table(
    "users",
    metadata,
    Column("key", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("password", String, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("token_version", Integer, nullable=False, server_default=text("0")),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("user", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    # The database and the key it was opened under; none for those of before there was a column.
    Column("generation", String),
    Column("network", String),
    Column("last_used_at", BigInteger),
    Index(None, "user"),
    Index(None, "expires_at"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", String, primary_key=True),
    Column("session", String, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("used_at", BigInteger),
    Index(None, "session"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("user", String, nullable=False),
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("generation", String),
    Column("version", Integer, nullable=False, server_default=text("0")),
    # Every scope, where there is none.
    Column("scope", String),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Index(None, "expires_at"),
    Index(None, "digest", unique=True),
    Index(None, "user"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", String, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("blocked_until", BigInteger),
    Column("known", Boolean, nullable=False),
    Column("seen_at", BigInteger),
    Index(None, "seen_at"),
)

client_limits = Table(
    "client_limits",
    metadata,
    Column("client", String, primary_key=True),
    # When the client's full allowance is restored.
    Column("full_at", BigInteger, nullable=False),
    Index(None, "full_at"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String, primary_key=True),
    Column("request", String, nullable=False),
    Column("job_id", String, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("answer", LargeBinary),
    Index(None, "begun_at"),
)
