"""Runs Alembic inside a transaction that is already open, on a connection that is already ours."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool


def upgrade(connection: sqlite3.Connection, revision: str) -> None:
    """Apply every revision up to this one; the caller commits."""
    engine = create_engine("sqlite://", creator=lambda: _Lent(connection), poolclass=StaticPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    with engine.connect() as lent:
        config.attributes["connection"] = lent
        command.upgrade(config, revision)


class _Lent:
    """A connection whose transaction belongs to the caller: commit and close wait for him."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """Leave the transaction open."""

    def rollback(self) -> None:
        """Leave the transaction open."""

    def close(self) -> None:
        """Leave the connection open."""
