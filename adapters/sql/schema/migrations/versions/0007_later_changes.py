"""When each dataset last changed, so that the next change is later whatever the clocks say."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "datasets",
        sa.Column("changed_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
