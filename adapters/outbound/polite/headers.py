"""Headers of a response: its freshness, and its dates."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from domain.politeness import clamp_block_s

#: Values by name; names are lower case.
Headers = Mapping[str, Sequence[str]]

_LONGEST_DATE = 64
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]{1,9})\"?\s*(?=,|$)", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|,)\s*no-(?:store|cache)\b", re.IGNORECASE)
_AGE = re.compile(r"\s*([0-9]{1,9})\s*")


def http_date(text: str) -> datetime | None:
    """Return a date in any of the three formats of HTTP; None if it is invalid."""
    if len(text) > _LONGEST_DATE:
        return None
    try:
        return in_utc(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None


def in_utc(time: datetime) -> datetime:
    """Return a time in UTC, which HTTP's asctime form without a zone is in."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def sent_at(headers: Headers) -> datetime | None:
    """Return the time of the upstream's clock in `Date`; None without it."""
    return http_date(next(iter(headers.get("date", ())), ""))


def fresh_s(headers: Headers) -> float | None:
    """Return the seconds for which a response is declared fresh; None if it is not."""
    directives = ",".join(headers.get("cache-control", ()))
    match = _MAX_AGE.search(directives)
    if match is None or _NOT_KEPT.search(directives):
        return None
    age = _AGE.fullmatch(next(iter(headers.get("age", ())), ""))
    return clamp_block_s(float(match[1]) - (float(age[1]) if age else 0.0)) or None
