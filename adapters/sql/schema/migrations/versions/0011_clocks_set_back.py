"""When hosts and schedules changed last, so that their times follow a clock that is set back."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "hosts",
        sa.Column("seen_at_s", sa.Float(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column(
        "schedules",
        sa.Column("moved_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
