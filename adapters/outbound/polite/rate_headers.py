"""Headers of rate limits, in all forms in use: the time to wait, and whether a limit is used up."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from adapters.outbound.polite.headers import Headers, http_date, in_utc, sent_at
from domain.politeness import clamp_block_s

#: No limit lasts longer; a larger value is in another unit, or wrong.
_YEAR_S = 366 * 86_400.0
#: The units of time since the epoch, per second: from seconds to nanoseconds.
_UNITS_OF_EPOCH = (1.0, 1e3, 1e6, 1e9)
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?([eE]\+?[0-9]{1,2})?")
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|h|m|s|d)){1,5}")
_PART = re.compile(r"([0-9.]+)(ms|h|m|s|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
#: `X-RateLimit-Remaining`, `X-Rate-Limit-Reset`, `RateLimit-Reset-After`, also with the name of one
#: limit of several, such as `X-RateLimit-Remaining-Requests`.
_NAMED = re.compile(
    r"(?:x-)?rate-?limit-(?:(remaining)|reset(?:-?(?:after|time|at))?)((?:-[a-z]+)?)"
)
_ITEMS = re.compile(r'(?:[^",]|"[^"]*")+')
_MEMBERS = re.compile(r'(?:[^";]|"[^"]*")+')


class _Limit(msgspec.Struct):
    """One limit of an upstream: the remaining number, and the time of its renewal, as texts."""

    left: list[str] = []
    resets: list[str] = []

    @property
    def is_used_up(self) -> bool:
        return any(_number(text) == 0.0 for text in self.left)


def wait_s(headers: Headers, now: datetime) -> float | None:
    """Return the seconds to wait before the next request, at most a day; None if none are stated.

    A time is relative to the `Date` of the response, or else to our clock. Of several the longest
    counts.
    """
    there = sent_at(headers) or now
    waits = [_retry_after_s(text, there) for text in _each(headers.get("retry-after", ()))]
    return _longest([*waits, renewed_s(headers, now)])


def renewed_s(headers: Headers, now: datetime) -> float | None:
    """Return the seconds until a used-up limit is renewed; None if none is used up."""
    there = sent_at(headers) or now
    resets = (text for limit in _limits(headers) if limit.is_used_up for text in limit.resets)
    return _longest(_reset_s(text.strip(), there) for text in resets)


def is_used_up(headers: Headers) -> bool:
    """Return whether a limit of the upstream is used up."""
    return any(limit.is_used_up for limit in _limits(headers))


def _longest(waits: Iterable[float | None]) -> float | None:
    return max((clamp_block_s(s) for s in waits if s is not None and s >= 0), default=None)


# ---------------------------------------------------------------- values


def _each(values: Iterable[str]) -> Iterator[str]:
    """Yield each value, also of joined numbers; dates contain commas themselves."""
    for value in values:
        parts = [part.strip() for part in value.split(",")]
        yield from parts if all(map(_NUMBER.fullmatch, parts)) else [value.strip()]


def _retry_after_s(text: str, now: datetime) -> float | None:
    number = _number(text)
    if number is None:
        return _until_s(text, now)
    since = _since_epoch_s(number, now)
    return number if since is None else since


def _reset_s(text: str, now: datetime) -> float | None:
    """Return the seconds until a limit is renewed, from seconds, a duration, a date or an epoch.

    None for a value that is plausible in no unit: it would block a host for nothing.
    """
    number = _number(text)
    if number is not None:
        return number if number <= _YEAR_S else _since_epoch_s(number, now)
    if _DURATION.fullmatch(text):
        return sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(text))
    seconds = _until_s(text, now)
    return seconds if seconds is not None and seconds <= _YEAR_S else None


def _number(text: str) -> float | None:
    """Return the number at the start of a text."""
    text = re.split("[;,]", text, maxsplit=1)[0].strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _since_epoch_s(number: float, now: datetime) -> float | None:
    """Return the seconds from now to a time since the epoch; None if it is a year or more away."""
    away = (number / unit - now.timestamp() for unit in _UNITS_OF_EPOCH)
    return next((seconds for seconds in away if abs(seconds) <= _YEAR_S), None)


def _until_s(text: str, now: datetime) -> float | None:
    """Return the seconds from now to a date."""
    time = http_date(text) or _iso(text)
    return None if time is None else (time - now).total_seconds()


def _iso(text: str) -> datetime | None:
    try:
        return in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


# ---------------------------------------------------------------- limits


def _limits(headers: Headers) -> Iterator[_Limit]:
    yield from _named(headers)
    policies = dict(_items(headers, "ratelimit-policy"))
    for name, limit in _items(headers, "ratelimit"):
        left = limit.get("r", limit.get("remaining", ""))
        # Without a time it is renewed after the whole window at the latest.
        policy = policies.get(name) or (next(iter(policies.values())) if len(policies) == 1 else {})
        reset = limit.get("t", limit.get("reset", policy.get("w", "")))
        yield _Limit([left], [reset])


def _named(headers: Headers) -> Iterator[_Limit]:
    """Yield the limits in separate headers, with or without a name."""
    limits: dict[str, _Limit] = {}
    for name, values in headers.items():
        if match := _NAMED.fullmatch(name):
            limit = limits.setdefault(match[2], _Limit())
            (limit.left if match[1] else limit.resets).extend(values)
    for limit in limits.values():
        yield _Limit(limit.left, limit.resets or limits.get("", limit).resets)


def _items(headers: Headers, header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the named items of a list with their parameters; a dictionary is an unnamed item."""
    dictionary: dict[str, str] = {}
    for item in _ITEMS.findall(",".join(headers.get(header, ()))):
        name, *members = [member.strip() for member in _MEMBERS.findall(item)] or [""]
        if "=" in name and not name.startswith('"'):
            dictionary.update(_parameters([name, *members]))
        else:
            yield name.strip('"'), _parameters(members)
    if dictionary:
        yield "", dictionary


def _parameters(members: Iterable[str]) -> dict[str, str]:
    pairs = (member.partition("=") for member in members)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
