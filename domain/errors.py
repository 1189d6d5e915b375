"""Errors of the domain and the application, as one tree.

CatchmentError
├── InvalidQuery               the query is invalid:
│   ├── UnknownParameter       … an unknown parameter, operator or field
│   ├── MalformedQuery         … too many conditions, or a repeated parameter
│   ├── InvalidValue           … a value does not parse as its field's type
│   ├── PageTooLarge           … a page by offset has too many bytes
│   └── InvalidCursor          … the cursor is invalid, or belongs to another query
├── InvalidInput               a field of a body has an invalid value
├── NotFound
│   ├── UnknownDataset
│   ├── UnknownRecord
│   ├── UnknownJob
│   ├── UnknownUser
│   ├── UnknownSession
│   └── UnknownToken
├── AccessDenied
│   ├── LoginRequired          the caller is anonymous
│   ├── WrongCredentials       the name or the password is wrong
│   ├── InvalidToken           the token is invalid, expired or revoked
│   ├── Forbidden              the caller's role does not allow it
│   ├── InsufficientScope      the API token lacks the scope
│   ├── PasswordRequired       the login was too long ago to do this without the password
│   └── SignupClosed           only admins create accounts, or there are too many
├── NameTaken                  the username is taken
├── TooManyRequests            a client exceeded its rate limit, or tried too many passwords
├── SourceError                a source returned nothing usable
│   ├── SourceUnavailable      unreachable, failing, or its breaker is open
│   ├── SourceBlocked          a rate limit, ours or the upstream's, is reached
│   ├── SourceTimedOut         the deadline passed
│   ├── SourceRefused          it rejected the request: 401, 403, 404, 410, a redirect elsewhere
│   └── UnexpectedContent      the response does not contain the source's records
├── NoSources                  all sources of the dataset are switched off
├── DatasetBusy                another job of the dataset waits for its source
├── TooManyTasks               there is no room for another task
├── TooManyWaiting             too many callers wait for running fetches
├── LeaseLost                  another worker has claimed the job
├── QueueUnavailable           the broker is unavailable
├── KeyInUse                   the first request with an Idempotency-Key has no response yet
├── KeyReused                  an Idempotency-Key was used for another request
├── IllegalTransition          the job's status does not allow a transition
├── StaleVersion               the version in a change is not the current one
├── StoreError
│   ├── StoreUnavailable       the database is unreachable or busy
│   ├── StoreFull              the disk is full
│   └── QueryTooSlow           the query exceeded its time limit
├── InvalidDataset             a Dataset value contradicts itself
└── InvalidRoutes              a route has no access rules
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Self


class CatchmentError(Exception):
    """An expected error; `detail` describes it in a sentence for the caller.

    `code` is derived from the name of the class, unless the class sets it.
    """

    code = "internal_error"

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidQuery(CatchmentError):
    """An invalid query; `parameter` names the invalid part."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


class PageTooLarge(InvalidQuery):
    """A page requested by an offset that has more bytes than a page may have."""


class UnknownParameter(InvalidQuery):
    """An unknown parameter, operator or field."""


class MalformedQuery(InvalidQuery):
    """Too many conditions, a repeated parameter, or parameters that exclude each other."""


class InvalidValue(InvalidQuery):
    """A value that does not parse as the type of its field."""


class InvalidCursor(InvalidQuery):
    """A cursor that is invalid, or belongs to another query."""


class InvalidInput(CatchmentError):
    """An invalid value in a body; `pointer` is the JSON pointer to it."""

    code = "invalid_value"

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer


class NotFound(CatchmentError):
    """A resource that does not exist."""


class UnknownDataset(NotFound):
    """An unknown dataset name."""

    @classmethod
    def among(cls, known: Iterable[str]) -> Self:
        """Return the error that names the datasets there are."""
        return cls(f"no dataset has that name; the datasets are: {', '.join(known)}")


class UnknownRecord(NotFound):
    """A key without a visible record, or an identifier without a record in quarantine."""


class UnknownJob(NotFound):
    """An unknown job identifier."""


class UnknownUser(NotFound):
    """An unknown username."""


class UnknownSession(NotFound):
    """An identifier that belongs to none of the user's open sessions."""


class UnknownToken(NotFound):
    """An identifier that belongs to none of the user's API tokens."""


class AccessDenied(CatchmentError):
    """A request that the caller may not make."""


class LoginRequired(AccessDenied):
    """An anonymous request where a login is required."""


class WrongCredentials(AccessDenied):
    """A wrong name or password, or a disabled account."""


class InvalidToken(AccessDenied):
    """An invalid, expired or revoked token."""


class Forbidden(AccessDenied):
    """A request that the caller's role does not allow."""


class InsufficientScope(AccessDenied):
    """A request that the scopes of the API token do not allow."""


class PasswordRequired(AccessDenied):
    """A request that needs the current password, because the login is too long ago."""


class SignupClosed(AccessDenied):
    """A sign-up while only admins create accounts, or while there are too many."""


class NameTaken(CatchmentError):
    """A username that is taken."""


class TooManyRequests(CatchmentError):
    """A client over its rate limit, or with too many wrong passwords; `wait_s` until a retry."""

    def __init__(self, detail: str, wait_s: float) -> None:
        super().__init__(detail)
        self.wait_s = wait_s


class SourceError(CatchmentError):
    """A source that returned nothing usable; `retry_at` is when a retry can succeed."""

    code = "source_failed"

    def __init__(
        self, detail: str, *, code: str | None = None, retry_at: datetime | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code or self.code
        self.retry_at = retry_at


class SourceUnavailable(SourceError):
    """A source that is unreachable or failing, or whose breaker is open."""


class SourceBlocked(SourceError):
    """A rate limit that allows no request before `retry_at`."""


class SourceTimedOut(SourceError):
    """A source that did not finish before the deadline."""


class SourceRefused(SourceError):
    """A source that rejected the request; a retry does not help."""


class UnexpectedContent(SourceError):
    """A response that does not contain the source's records."""


class NoSources(CatchmentError):
    """A dataset whose sources are all switched off."""


class DatasetBusy(CatchmentError):
    """A job of the dataset that waits for its source and blocks other jobs."""


class TooManyTasks(CatchmentError):
    """A new task where there are as many as there may be."""


class TooManyWaiting(CatchmentError):
    """Too many callers that wait for running fetches."""


class LeaseLost(CatchmentError):
    """A job that another worker has claimed; nothing more may be written for it."""


class QueueUnavailable(CatchmentError):
    """A broker that is unavailable; workers still find jobs in the store."""


class KeyInUse(CatchmentError):
    """An Idempotency-Key whose first request has no response yet."""


class KeyReused(CatchmentError):
    """An Idempotency-Key that was used for another request."""


class IllegalTransition(CatchmentError):
    """A transition that the job's status does not allow."""


class StaleVersion(CatchmentError):
    """A change to a version that is no longer the current one."""


class StoreError(CatchmentError):
    """A failed operation of the store."""

    code = "store_failed"


class StoreUnavailable(StoreError):
    """A database that is unreachable, or stayed busy for too long."""


class StoreFull(StoreError):
    """A full disk: nothing can be written; reads still work."""


class QueryTooSlow(StoreError):
    """A query that exceeded its time limit."""


class InvalidDataset(CatchmentError):
    """A Dataset value that contradicts itself."""


class InvalidRoutes(CatchmentError):
    """A route without access rules; the application does not start."""
