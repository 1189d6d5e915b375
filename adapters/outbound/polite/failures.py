"""The failures of one try, and whether a retry may help."""

from datetime import datetime

from domain.errors import (
    SourceError,
    SourceRefused,
    SourceTimedOut,
    SourceUnavailable,
    UnexpectedContent,
)


class RetryableError(Exception):
    """A failure that may be temporary; `error` is raised if no retry succeeds.

    `block_s` is the pause that the upstream demands, if any; `least_s` the shortest pause
    otherwise. `stale` means that a reused connection had been closed: retry at once.
    """

    def __init__(
        self,
        error: SourceError,
        *,
        block_s: float | None = None,
        least_s: float = 0.0,
        stale: bool = False,
    ) -> None:
        super().__init__(error.detail)
        self.error = error
        self.block_s = block_s
        self.least_s = least_s
        self.stale = stale


class Absent(SourceRefused):
    """A refusal because the resource does not exist, or is never shown."""

    code = SourceRefused.code


class Unauthorized(SourceRefused):
    """The upstream does not accept who asks; a new token may help."""

    code = SourceRefused.code


class HostRefused(SourceRefused):
    """A refusal of the caller, independent of the URL: the host is blocked for a while."""

    code = SourceRefused.code


def counts_against_host(failure: Exception) -> bool:
    """Return whether a failure is the host's fault, and counts for its breaker."""
    if isinstance(failure, RetryableError):
        return not failure.stale and counts_against_host(failure.error)
    return isinstance(failure, (SourceUnavailable, SourceTimedOut))


def late(label: str) -> SourceTimedOut:
    """Return the error of a fetch whose deadline has passed."""
    return SourceTimedOut(
        f"{label} did not finish before the deadline; CATCHMENT_FETCH_DEADLINE is how long a fetch"
        " may take"
    )


def counted(requests: int) -> str:
    """Return a number of requests, in words."""
    return "1 request" if requests == 1 else f"{requests} requests"


def cut_short(key: str, requests: int, retry_at: datetime) -> SourceTimedOut:
    """Return the error of a fetch that our own limit makes longer than its deadline."""
    return SourceTimedOut(
        f"the deadline came before the end: after {counted(requests)} our own limit for {key}"
        " lets the next one leave too late. Raise CATCHMENT_FETCH_DEADLINE, or"
        " CATCHMENT_RATE_LIMITS if the host allows more",
        retry_at=retry_at,
    )


def slow(label: str) -> SourceTimedOut:
    """Return the error of a try that waited too long for the next bytes."""
    return SourceTimedOut(f"{label} did not answer in time")


def unreachable(label: str) -> SourceUnavailable:
    """Return the error of a connection that failed before the response."""
    return SourceUnavailable(f"{label} cannot be reached, or hung up without an answer")


def not_http(label: str) -> SourceUnavailable:
    """Return the error of a response that is missing, or not HTTP."""
    return SourceUnavailable(
        f"{label} hung up, or does not answer as HTTP should", code="protocol_error"
    )


def incomplete(label: str) -> SourceUnavailable:
    """Return the error of a truncated body."""
    return SourceUnavailable(f"{label} broke off in the middle of its answer", code="incomplete")


def too_large(label: str, limit: str) -> UnexpectedContent:
    """Return the error of a response above a size limit."""
    return UnexpectedContent(
        f"{label} answers more than {limit}, which is not read", code="too_large"
    )
