"""PostgreSQL's errors translated into the store's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import asyncpg

from domain.errors import QueryTooSlow, StoreError, StoreFull, StoreUnavailable

_AWAY = "the database cannot be reached"
_TOO_SLOW = "this query needs more time than a query gets; use an indexed field"
POOLED = (
    "the database's URL leads to a pooler, such as PgBouncer, that does not pass on sessions and"
    " their settings; name PostgreSQL itself"
)
_NOT_MIGRATED = "the database is not migrated; run: catchment migrate"

#: By SQLSTATE, or by its beginning: the first two characters name a class.
_UNAVAILABLE: Mapping[str, str] = {
    "08P01": POOLED,
    "08": "the connection to the database was lost",
    "25006": "the database takes no writes; it may be a standby",
    "25P03": "the database ended a transaction that was idle too long",
    "28": "the database refuses the user or the password in its URL; correct it",
    "3D000": "the database named in its URL does not exist; create it first: createdb NAME",
    "3F000": "the database's user has no schema to make tables in",
    "40": "the database cancelled this write because of another one; try again",
    "42501": "the database's user may not do this; it needs the right to make and change tables",
    "42703": _NOT_MIGRATED,
    "42704": "the database does not know a setting in its URL; correct it",
    "42P01": _NOT_MIGRATED,
    "53200": "the database is out of memory",
    "53300": "the database takes no more connections; raise its max_connections",
    "55000": "the database does not accept connections",
    "55P03": "the database is busy with another process's writing",
    "57P": "the database is starting, stopping or was just restarted",
    "58": "the database cannot use its own files",
    "53": "the database is out of some resource; its log says which",
    "XX": "the database failed; its log says why",
    "XX001": "the database is damaged",
    "XX002": "the database is damaged",
}
#: The connection has ended; a read may be repeated on another one.
_LOST = ("08", "25P03", "57P")

#: The driver raises the last one when the server has just ended an idle connection.
_DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    asyncpg.InternalClientError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Translate the driver's errors into the store's."""
    try:
        yield
    except _DRIVER_ERRORS as error:
        raise translation(error) from error


@contextmanager
def translated_while_connecting() -> Iterator[None]:
    """Translate the driver's errors while connecting, when no query runs yet."""
    try:
        with translated():
            yield
    except QueryTooSlow as error:
        raise StoreUnavailable(_AWAY) from error
    except ValueError as error:  # the driver's message would show the password
        raise StoreUnavailable("the database's URL cannot be understood; correct it") from error


def translation(error: Exception) -> Exception:
    """Return the store's error for one of the driver's, or the same one if there is none."""
    if isinstance(error, asyncpg.PostgresError):
        return _meaning(error.sqlstate or "") or error
    if isinstance(error, TimeoutError):
        return QueryTooSlow(_TOO_SLOW)
    if isinstance(error, ValueError):  # also a driver's error: an invalid argument
        return error
    return StoreUnavailable(_AWAY)


def _meaning(state: str) -> StoreError | None:
    if state == "57014":
        return QueryTooSlow(_TOO_SLOW)
    if state == "53100":
        return StoreFull("there is no room left to write; free some space and try again")
    named = [_UNAVAILABLE[state[:size]] for size in (5, 3, 2) if state[:size] in _UNAVAILABLE]
    return StoreUnavailable(named[0]) if named else None


def may_be_read_again(error: Exception) -> bool:
    """Return whether the connection failed, or its cached plan for a table's columns."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return True
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_LOST)
    return isinstance(error, _DRIVER_ERRORS) and not isinstance(error, (TimeoutError, ValueError))
