"""Every error the core raises, as one tree.

CatchmentError
├── InvalidQuery               the question cannot be asked
│   ├── UnknownParameter       … it names something that does not exist
│   ├── MalformedQuery         … it has too much, or something twice
│   ├── InvalidValue           … a value does not parse as its field's type
│   └── InvalidCursor          … the cursor is not ours, or belongs to another question
├── NotFound
│   ├── UnknownDataset
│   ├── UnknownRecord
│   └── UnknownJob
├── AccessDenied
│   ├── LoginRequired          nobody is logged in
│   └── Forbidden              somebody is, and may not
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
├── StoreError
│   ├── StoreUnavailable       the database cannot be reached or is busy
│   ├── StoreFull              the disk is full
│   └── QueryTooSlow           the query needed more time than a query gets
└── InvalidDataset             a Dataset value contradicts itself
"""

from datetime import datetime


class CatchmentError(Exception):
    """What went wrong, in a sentence fit for the person who asked."""

    code = "internal_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidQuery(CatchmentError):
    """The question cannot be asked; `parameter` names the part at fault."""

    code = "invalid_query"

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


class UnknownParameter(InvalidQuery):
    """A parameter, operator or field that does not exist."""

    code = "unknown_parameter"


class MalformedQuery(InvalidQuery):
    """Too many conditions, a parameter given twice, or parameters that exclude each other."""

    code = "malformed_query"


class InvalidValue(InvalidQuery):
    """A value that does not parse as the type of its field."""

    code = "invalid_value"


class InvalidCursor(InvalidQuery):
    """A cursor that was not made here, or was made for another question."""

    code = "invalid_cursor"


class NotFound(CatchmentError):
    """What was asked for does not exist."""

    code = "not_found"


class UnknownDataset(NotFound):
    """No dataset has that name."""

    code = "unknown_dataset"


class UnknownRecord(NotFound):
    """No visible record has that key, or none of that identifier waits in quarantine."""

    code = "unknown_record"


class UnknownJob(NotFound):
    """No job has that identifier."""

    code = "unknown_job"


class AccessDenied(CatchmentError):
    """The viewer may not do this."""

    code = "access_denied"


class LoginRequired(AccessDenied):
    """Nobody is logged in, and this needs somebody."""

    code = "login_required"


class Forbidden(AccessDenied):
    """The viewer is known, and their role does not allow this."""

    code = "forbidden"


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

    code = "source_unavailable"


class SourceBlocked(SourceError):
    """A rate limit forbids asking before `retry_at`."""

    code = "source_blocked"


class SourceTimedOut(SourceError):
    """The source did not finish before the deadline."""

    code = "source_timed_out"


class SourceRefused(SourceError):
    """The source understood and said no; asking again will not help."""

    code = "source_refused"


class UnexpectedContent(SourceError):
    """The source answered something that cannot be read as its records."""

    code = "unexpected_content"


class NoSources(CatchmentError):
    """Every source of the dataset is switched off."""

    code = "no_sources"


class DatasetBusy(CatchmentError):
    """A job of the dataset waits for its source, so that no other one can run before."""

    code = "dataset_busy"


class TooManyWaiting(CatchmentError):
    """So many callers wait for running fetches that one more is turned away."""

    code = "too_many_waiting"


class LeaseLost(CatchmentError):
    """Another worker has taken the job over; nothing more may be written for it."""

    code = "lease_lost"


class QueueUnavailable(CatchmentError):
    """The broker cannot be reached; jobs are still found in the store."""

    code = "queue_unavailable"


class KeyInUse(CatchmentError):
    """The first request with this Idempotency-Key has not been answered yet."""

    code = "key_in_use"


class KeyReused(CatchmentError):
    """This Idempotency-Key has come with another request before."""

    code = "key_reused"


class IllegalTransition(CatchmentError):
    """A job cannot go from its status to the one asked for."""

    code = "illegal_transition"


class StoreError(CatchmentError):
    """The store could not do what was asked."""

    code = "store_failed"


class StoreUnavailable(StoreError):
    """The database cannot be reached, or stayed busy for too long."""

    code = "store_unavailable"


class StoreFull(StoreError):
    """There is no room left to write; reads go on."""

    code = "store_full"


class QueryTooSlow(StoreError):
    """The query needed more time than a query gets."""

    code = "query_too_slow"


class InvalidDataset(CatchmentError):
    """A Dataset value contradicts itself."""

    code = "invalid_dataset"
