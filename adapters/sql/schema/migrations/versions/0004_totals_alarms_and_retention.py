"""The totals of sources, alarms, and the indexes of retention."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTS = (
    "received",
    "inserted",
    "updated",
    "unchanged",
    "duplicates",
    "deleted",
    "quarantined",
)


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "source_totals",
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("last_run_at", sa.BigInteger(), nullable=False),
        sa.Column("last_status", sa.String(), nullable=False),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
        sa.PrimaryKeyConstraint("dataset", "source", name=op.f("pk_source_totals")),
    )
    op.create_table(
        "alarms",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised", sa.Boolean(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("watched_since", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("taken_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "dataset", "source", name=op.f("pk_alarms")),
    )
    for table, *columns in (
        ("receipts", "received_at"),
        ("receipts", "hash"),
        ("receipts", "dataset", "source", "merged", "id"),
        ("quarantine", "receipt"),
        ("quarantine", "rejected_at"),
        ("jobs", "finished_at"),
    ):
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns, unique=False)
