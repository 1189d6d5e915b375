"""The records that fetches of a source held, among its totals."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply the revision."""
    op.add_column(
        "source_totals",
        sa.Column("held", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
