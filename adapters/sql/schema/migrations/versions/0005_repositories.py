"""The state of the repositories of tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "repositories",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_repositories")),
    )
    op.create_index(op.f("ix_repositories_looked_at"), "repositories", ["looked_at"], unique=False)
