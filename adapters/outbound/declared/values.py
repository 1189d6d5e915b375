"""Values of declared fields: parsed by the form in their plan."""

import math
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from domain.field_plans import FieldPlan, python_type
from domain.fields import FieldType
from domain.times import parse_time
from domain.value_parsing import read_integer, read_number

Reader = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reader_of(plan: FieldPlan) -> Reader | None:
    """Return the parser of a field's values that are not null; None if they are plain.

    It returns a value of the field's type, and raises ValueError if the value is invalid.
    """
    if plan.is_plain:
        return None
    if plan.type is FieldType.TIME:
        return _time_reader(plan)
    return _READERS.get((plan.type, plan.written)) or _plain_reader(plan)


def _plain_reader(plan: FieldPlan) -> Reader:
    kind = python_type(plan)

    def read(value: Any) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error

    return read


def _integer(value: Any) -> int:
    return read_integer(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _number(value: Any) -> float:
    return read_number(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _boolean(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError("expected 0 or 1")
    return bool(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_READERS: Mapping[tuple[FieldType, str], Reader] = {
    (FieldType.INTEGER, "text"): _integer,
    (FieldType.NUMBER, "text"): _number,
    (FieldType.BOOLEAN, "number"): _boolean,
    (FieldType.TEXT, "json"): _json,
}

# ---------------------------------------------------------------- times


def _time_reader(plan: FieldPlan) -> Reader:
    zone = zoneinfo.ZoneInfo(plan.zone) if plan.zone else UTC
    match plan.written:
        case "":
            return lambda value: _zoned(value, zone)
        case "seconds":
            return lambda value: _counted(value, 1)
        case "milliseconds":
            return lambda value: _counted(value, 1000)
        case "http":
            return _http
        case "date":
            return lambda value: _patterned(value, "%Y-%m-%d", zone)
        case pattern:
            return lambda value: _patterned(value, pattern, zone)


def _counted(value: Any, a_second: int) -> datetime:
    number = _number(value)
    try:
        return _EPOCH + timedelta(microseconds=math.floor(number * 1_000_000 / a_second))
    except OverflowError as error:
        raise ValueError("the time lies outside the years 1 to 9999") from error


def _zoned(value: Any, zone: Any) -> datetime:
    text = _text(value)
    try:
        return parse_time(text)
    except ValueError:
        pass
    try:
        local = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("expected a time such as 2026-01-31T12:00:00") from error
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _http(value: Any) -> datetime:
    text = _text(value)
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError("expected a date such as Sun, 06 Nov 1994 08:49:37 GMT") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def _patterned(value: Any, pattern: str, zone: Any) -> datetime:
    text = _text(value)
    try:
        time = datetime.strptime(text, pattern)  # noqa: DTZ007 - its zone is given below
    except ValueError as error:
        raise ValueError(f"expected a time as {pattern}") from error
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text")  # noqa: TRY004 - an error in the data, not in the program
    return value
