"""The version of its user that each session was opened for."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply."""
    op.add_column("sessions", sa.Column("version", sa.Integer(), nullable=True))
