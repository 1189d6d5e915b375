"""What can go wrong with one try, and whether another try may help."""

from datetime import datetime

from domain.errors import (
    SourceError,
    SourceRefused,
    SourceTimedOut,
    SourceUnavailable,
    UnexpectedContent,
)


class RetryableError(Exception):
    """A try failed in a way that may pass; `error` is what to say when it does not.

    `block_s` is how long the upstream wants to be left alone, if it said so; `least_s` the least
    to wait otherwise. `stale` means that a kept connection had died: nobody's fault, try at once.
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
    """There is nothing at the address, or nothing that may be shown to anybody."""

    code = SourceRefused.code


class HostRefused(SourceRefused):
    """The host refuses whoever asks like this, whatever is asked: it is left alone for a while."""

    code = SourceRefused.code


def counts_against_host(failure: Exception) -> bool:
    """Whether a failure is the host's doing, so that its breaker should know."""
    if isinstance(failure, RetryableError):
        return not failure.stale and counts_against_host(failure.error)
    return isinstance(failure, (SourceUnavailable, SourceTimedOut))


def late(place: str) -> SourceTimedOut:
    """The deadline of the whole fetch has passed."""
    return SourceTimedOut(
        f"{place} was not done before the deadline; CATCHMENT_FETCH_DEADLINE is how long a fetch"
        " may take"
    )


def counted(requests: int) -> str:
    """A number of requests, in words."""
    return "1 request" if requests == 1 else f"{requests} requests"


def cut_short(key: str, requests: int, retry_at: datetime) -> SourceTimedOut:
    """Our own limit for the host makes a fetch longer than its deadline."""
    return SourceTimedOut(
        f"the deadline came before the end: after {counted(requests)} our own limit for {key}"
        " lets the next one leave too late. Raise CATCHMENT_FETCH_DEADLINE, or"
        " CATCHMENT_RATE_LIMITS if the host allows more",
        retry_at=retry_at,
    )


def slow(place: str) -> SourceTimedOut:
    """One try waited too long for the next bytes."""
    return SourceTimedOut(f"{place} did not answer in time")


def unreachable(place: str) -> SourceUnavailable:
    """No connection, or one that broke before the answer began."""
    return SourceUnavailable(f"{place} cannot be reached, or hung up without an answer")


def not_http(place: str) -> SourceUnavailable:
    """The connection closed before an answer, or the answer does not begin as HTTP does."""
    return SourceUnavailable(
        f"{place} hung up, or does not answer as HTTP should", code="protocol_error"
    )


def incomplete(place: str) -> SourceUnavailable:
    """The body ended before it was whole."""
    return SourceUnavailable(f"{place} broke off in the middle of its answer", code="incomplete")


def too_large(place: str, limit: str) -> UnexpectedContent:
    """The answer is larger than we take."""
    return UnexpectedContent(
        f"{place} answers more than {limit}, which is not read", code="too_large"
    )
