"""The span in which a job was requested, so that the worker continues its trace."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Apply the revision."""
    op.add_column("jobs", sa.Column("traceparent", sa.String()))
