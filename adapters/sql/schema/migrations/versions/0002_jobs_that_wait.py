"""Waiting and forced jobs, schedules, idempotency keys, and version numbers of hosts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply the revision."""
    op.add_column(
        "jobs", sa.Column("force", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column(
        "jobs", sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("jobs", sa.Column("run_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "hosts", sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.create_table(
        "schedules",
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("every", sa.BigInteger(), nullable=False),
        sa.Column("tick_at", sa.BigInteger(), nullable=False),
        sa.Column("next_run_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_schedules")),
    )
    op.create_table(
        "idempotency",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_begun_at"), "idempotency", ["begun_at"], unique=False)
