"""Sessions and API tokens that end: with the database, the key, a change of their user, a time."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply."""
    none = sa.text("0")
    op.add_column(
        "users", sa.Column("token_version", sa.Integer(), server_default=none, nullable=False)
    )
    op.add_column("sessions", sa.Column("generation", sa.String(), nullable=True))
    op.add_column("sessions", sa.Column("network", sa.String(), nullable=True))
    op.add_column("sessions", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.add_column("api_tokens", sa.Column("generation", sa.String(), nullable=True))
    op.add_column(
        "api_tokens", sa.Column("version", sa.Integer(), server_default=none, nullable=False)
    )
    op.add_column("api_tokens", sa.Column("scope", sa.String(), nullable=True))
    op.add_column("api_tokens", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.add_column("api_tokens", sa.Column("last_used_at", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_api_tokens_expires_at"), "api_tokens", ["expires_at"], unique=False)
