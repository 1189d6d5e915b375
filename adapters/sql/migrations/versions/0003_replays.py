"""Jobs that read a kept payload again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.add_column("jobs", sa.Column("receipt", sa.BigInteger(), nullable=True))
