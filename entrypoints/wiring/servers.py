"""Parts of the container for servers: the database and the queue."""

from typing import TYPE_CHECKING

from adapters.memory.jobs import MemoryQueue
from adapters.sql.engine.sqlite.database import SqliteDatabase
from application.jobs.worker import AT_ONCE
from application.ports.operations import Events
from entrypoints.config.settings import Settings

if TYPE_CHECKING:
    # At run time these are imported only if PostgreSQL or a broker is used.
    from adapters.queue.rabbitmq import RabbitQueue
    from adapters.sql.engine.postgres.database import PostgresDatabase


def database_of(settings: Settings) -> "SqliteDatabase | PostgresDatabase":
    """Return the configured database."""
    if settings.database_file is not None:
        return SqliteDatabase(settings.database_file)
    from adapters.sql.engine.postgres.database import PostgresDatabase

    return PostgresDatabase(settings.database_url)


def queue_of(settings: Settings, events: Events) -> "MemoryQueue | RabbitQueue":
    """Return the configured queue."""
    if not settings.broker_url:
        return MemoryQueue(events, at_once=AT_ONCE)
    from adapters.queue.rabbitmq import RabbitQueue

    return RabbitQueue(settings.broker_url, events, at_once=AT_ONCE)
