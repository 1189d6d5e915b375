"""Limits: what the budget admits, and what an upstream's headers say about it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from adapters.outbound.polite.failures import late, not_http, too_large
from domain.politeness import clamp_block_s

Headers = Mapping[str, Sequence[str]]

_SECONDS = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?([eE]\+?[0-9]{1,2})?")
_LONGEST_DATE = 64
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]{1,9})\"?\s*(?=,|$)", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|,)\s*no-(?:store|cache)\b", re.IGNORECASE)
_AGE = re.compile(r"\s*([0-9]{1,9})\s*")


def wait_s(headers: Headers, now: datetime) -> float | None:
    """Seconds to leave the host alone, at most a day; None when it says nothing we can use.

    Dates are measured against our clock. Of several answers the longest counts.
    """
    told = [_retry_after_s(text.strip(), now) for text in headers.get("retry-after", ())]
    return _longest([*told, renewed_s(headers, now)])


def renewed_s(headers: Headers, now: datetime) -> float | None:
    """Seconds until there is a new allowance, when nothing is left of the one that there was."""
    if not is_used_up(headers):
        return None
    return _longest([_reset_s(text, now) for text in headers.get("x-ratelimit-reset", ())])


def _longest(told: list[float | None]) -> float | None:
    return max((clamp_block_s(s) for s in told if s is not None and s >= 0), default=None)


def is_used_up(headers: Headers) -> bool:
    """Whether the upstream says that nothing is left of its rate limit, as GitHub does."""
    return "0" in headers.get("x-ratelimit-remaining", ())


def http_date(text: str) -> datetime | None:
    """Read any of the three date formats of HTTP, or None."""
    if len(text) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        # The asctime form names no zone; HTTP says that it is UTC.
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _retry_after_s(text: str, now: datetime) -> float | None:
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = http_date(text)
    return None if moment is None else (moment - now).total_seconds()


def _reset_s(text: str, now: datetime) -> float | None:
    return float(text) - now.timestamp() if _SECONDS.fullmatch(text) else None


def fresh_s(headers: Headers) -> float | None:
    """For how many seconds the upstream says that its answer will do; None when it does not say."""
    told = ",".join(headers.get("cache-control", ()))
    match = _MAX_AGE.search(told)
    if match is None or _NOT_KEPT.search(told):
        return None
    age = _AGE.fullmatch(next(iter(headers.get("age", ())), ""))
    return clamp_block_s(float(match[1]) - (float(age[1]) if age else 0.0)) or None


#: Everything before the body, interim answers included; a read takes 64 KiB at a time.
MAX_HEAD = 128 * 1024
MIB = 1024 * 1024


class RequestLimits:
    """Counts down while a request runs; the network asks it before and after every step."""

    def __init__(self, place: str, seconds: float, max_wire: int) -> None:
        self.place = place
        self.is_new_connection = False
        self.body_bytes = 0
        self._received = 0
        self._in_head = True
        self._max_wire = max_wire
        self._ends_at = asyncio.get_running_loop().time() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return asyncio.get_running_loop().time() >= self._ends_at

    def seconds(self, longest: float) -> float:
        """How long the next step may take; SourceTimedOut when the time is up."""
        left = self._ends_at - asyncio.get_running_loop().time()
        if left <= 0:
            raise late(self.place)
        return min(longest, left)

    def take(self, received: int) -> None:
        """Count bytes that arrived; SourceError when they are too many."""
        self._received += received
        if self._in_head and self._received > MAX_HEAD:
            raise not_http(self.place)
        if self._received > self._max_wire:
            raise too_large(self.place, f"{self._max_wire / MIB:.3g} MiB")

    def begin_body(self) -> None:
        """From now on the bytes are the body's."""
        self._in_head = False


#: The allowance of the request that this task is making.
CURRENT: ContextVar[RequestLimits] = ContextVar("allowance")
