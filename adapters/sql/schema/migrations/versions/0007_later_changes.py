"""The time of each dataset's last change, so that the next one is later even if clocks differ."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply the revision."""
    op.add_column(
        "datasets",
        sa.Column("changed_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
