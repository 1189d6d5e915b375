"""Jobs that replay a kept payload."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply the revision."""
    op.create_index(op.f("ix_receipts_job_id"), "receipts", ["job_id"], unique=False)
    op.add_column("jobs", sa.Column("receipt", sa.BigInteger(), nullable=True))
