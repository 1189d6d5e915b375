"""Poolers: a process behind one is told so in one line."""

from typing import Any

import asyncpg
import pytest

from adapters.sql.engine.postgres.database import postgres_compiler
from adapters.sql.engine.postgres.errors import translation
from adapters.sql.engine.postgres.session import PostgresSession
from domain.errors import StoreUnavailable
from tests.services.postgres import administering, empty_database


class Pooled:
    """A connection by way of a pooler, which gives its clients numbers of its own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    def get_server_pid(self) -> int:
        """Return the number that the pooler gave."""
        return -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.postgres
async def test_a_connection_by_way_of_a_pooler_is_refused() -> None:
    async with empty_database() as url, administering(url) as connection:
        direct = PostgresSession(connection, postgres_compiler(), lambda: None)
        pooled = PostgresSession(Pooled(connection), postgres_compiler(), lambda: None)

        await direct.require_direct()
        with pytest.raises(StoreUnavailable, match="name PostgreSQL itself"):
            await pooled.require_direct()


def test_a_pooler_that_refuses_our_settings_is_named() -> None:
    refused = asyncpg.ProtocolViolationError("unsupported startup parameter: jit")

    assert "PgBouncer" in str(translation(refused))
