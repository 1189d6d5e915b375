"""Every error the core raises, as one tree.

CatchmentError
├── InvalidQuery               the question cannot be asked
│   ├── UnknownParameter       … it names something that does not exist
│   ├── MalformedQuery         … it has too much, or something twice
│   ├── InvalidValue           … a value does not parse as its field's type
│   └── InvalidCursor          … the cursor is not ours, or belongs to another question
├── InvalidInput               a field of a body has a value it cannot have
├── NotFound
│   ├── UnknownDataset
│   ├── UnknownRecord
│   ├── UnknownJob
│   ├── UnknownUser
│   └── UnknownToken
├── AccessDenied
│   ├── LoginRequired          nobody is logged in
│   ├── WrongCredentials       a name and a password that do not belong together
│   ├── InvalidToken           a token that is not ours, or has ended
│   └── Forbidden              somebody is, and may not
├── NameTaken                  somebody else has that username
├── TooManyRequests            one client asks too much, or has guessed too often
├── SourceError                a source gave us nothing usable
│   ├── SourceUnavailable      unreachable, failing, or its breaker is open
│   ├── SourceBlocked          a rate limit, ours or theirs, forbids asking now
│   ├── SourceTimedOut         the deadline passed
│   ├── SourceRefused          it understood and said no: 401, 403, 404, 410, a redirect elsewhere
│   └── UnexpectedContent      it answered nonsense
├── NoSources                  the dataset's sources are all switched off
├── DatasetBusy                a job that waits for its source is in the way
├── TooManyWaiting             too many callers wait for running fetches
├── LeaseLost                  another worker has taken the job over
├── QueueUnavailable           the broker cannot be reached
├── KeyInUse                   an Idempotency-Key whose first request has no answer yet
├── KeyReused                  an Idempotency-Key that came with another request before
├── IllegalTransition          a job cannot go from here to there
├── StaleVersion               what is to be changed has changed since it was read
├── StoreError
│   ├── StoreUnavailable       the database cannot be reached or is busy
│   ├── StoreFull              the disk is full
│   └── QueryTooSlow           the query needed more time than a query gets
├── InvalidDataset             a Dataset value contradicts itself
└── InvalidRoutes              a route does not say who may call it
"""

import re
from datetime import datetime


class CatchmentError(Exception):
    """What went wrong, in a sentence fit for the person who asked.

    `code` is the class's name in small letters, unless it says otherwise.
    """

    code = "internal_error"

    def __init_subclass__(cls) -> None:
        if "code" not in vars(cls):
            cls.code = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidQuery(CatchmentError):
    """The question cannot be asked; `parameter` names the part at fault."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


class UnknownParameter(InvalidQuery):
    """A parameter, operator or field that does not exist."""


class MalformedQuery(InvalidQuery):
    """Too many conditions, a parameter given twice, or parameters that exclude each other."""


class InvalidValue(InvalidQuery):
    """A value that does not parse as the type of its field."""


class InvalidCursor(InvalidQuery):
    """A cursor that was not made here, or was made for another question."""


class InvalidInput(CatchmentError):
    """A field of a body has a value it cannot have; `pointer` is a JSON pointer to it."""

    code = "invalid_value"

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer


class NotFound(CatchmentError):
    """What was asked for does not exist."""


class UnknownDataset(NotFound):
    """No dataset has that name."""


class UnknownRecord(NotFound):
    """No visible record has that key, or none of that identifier waits in quarantine."""


class UnknownJob(NotFound):
    """No job has that identifier."""


class UnknownUser(NotFound):
    """Nobody has that username."""


class UnknownToken(NotFound):
    """The caller has no API token of that identifier."""


class AccessDenied(CatchmentError):
    """The viewer may not do this."""


class LoginRequired(AccessDenied):
    """Nobody is logged in, and this needs somebody."""


class WrongCredentials(AccessDenied):
    """The name and the password do not belong together, or the account is disabled."""


class InvalidToken(AccessDenied):
    """The token is not ours, has run out, or was ended."""


class Forbidden(AccessDenied):
    """The viewer is known, and their role does not allow this."""


class NameTaken(CatchmentError):
    """Somebody else has that username."""


class TooManyRequests(CatchmentError):
    """One client asks more than it may, or has guessed too often; `wait_s` until it may again."""

    def __init__(self, detail: str, wait_s: float) -> None:
        super().__init__(detail)
        self.wait_s = wait_s


class SourceError(CatchmentError):
    """A source gave nothing usable; `retry_at` says when asking again may help."""

    code = "source_failed"

    def __init__(
        self, detail: str, *, code: str | None = None, retry_at: datetime | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code or self.code
        self.retry_at = retry_at


class SourceUnavailable(SourceError):
    """The source cannot be reached, fails, or its breaker is open."""


class SourceBlocked(SourceError):
    """A rate limit forbids asking before `retry_at`."""


class SourceTimedOut(SourceError):
    """The source did not finish before the deadline."""


class SourceRefused(SourceError):
    """The source understood and said no; asking again will not help."""


class UnexpectedContent(SourceError):
    """The source answered something that cannot be read as its records."""


class NoSources(CatchmentError):
    """Every source of the dataset is switched off."""


class DatasetBusy(CatchmentError):
    """A job of the dataset waits for its source, so that no other one can run before."""


class TooManyWaiting(CatchmentError):
    """So many callers wait for running fetches that one more is turned away."""


class LeaseLost(CatchmentError):
    """Another worker has taken the job over; nothing more may be written for it."""


class QueueUnavailable(CatchmentError):
    """The broker cannot be reached; jobs are still found in the store."""


class KeyInUse(CatchmentError):
    """The first request with this Idempotency-Key has not been answered yet."""


class KeyReused(CatchmentError):
    """This Idempotency-Key has come with another request before."""


class IllegalTransition(CatchmentError):
    """A job cannot go from its status to the one asked for."""


class StaleVersion(CatchmentError):
    """What is to be changed is no longer at the version it was read at."""


class StoreError(CatchmentError):
    """The store could not do what was asked."""

    code = "store_failed"


class StoreUnavailable(StoreError):
    """The database cannot be reached, or stayed busy for too long."""


class StoreFull(StoreError):
    """There is no room left to write; reads go on."""


class QueryTooSlow(StoreError):
    """The query needed more time than a query gets."""


class InvalidDataset(CatchmentError):
    """A Dataset value contradicts itself."""


class InvalidRoutes(CatchmentError):
    """A route does not say who may call it, so the application does not start."""
