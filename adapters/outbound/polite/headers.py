"""Headers of an answer: how long it will do, and the dates in them."""

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
    """Read any of the three date formats of HTTP, or None."""
    if len(text) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return in_utc(moment)
    except (ValueError, OverflowError):
        return None


def in_utc(moment: datetime) -> datetime:
    """Return a time in UTC, which one without a zone is in: HTTP says so of its asctime form."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def sent_at(headers: Headers) -> datetime | None:
    """Return the time on the upstream's own clock, as its `Date` says it, if it does."""
    return http_date(next(iter(headers.get("date", ())), ""))


def fresh_s(headers: Headers) -> float | None:
    """For how many seconds the upstream says that its answer will do; None when it does not say."""
    told = ",".join(headers.get("cache-control", ()))
    match = _MAX_AGE.search(told)
    if match is None or _NOT_KEPT.search(told):
        return None
    age = _AGE.fullmatch(next(iter(headers.get("age", ())), ""))
    return clamp_block_s(float(match[1]) - (float(age[1]) if age else 0.0)) or None
