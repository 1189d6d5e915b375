"""When an upstream wants to be asked again, in every form it may say so."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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
