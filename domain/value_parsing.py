"""Lenient parsing of values as people and programs write them."""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from domain.fields import INT64_MAX, INT64_MIN, Field, FieldType, parse_boolean
from domain.times import NEVER_SET, parse_time

Reader = Callable[[str], Any]

_DIGITS = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?"
)
#: The largest exponent of ten in 64 bits.
_LARGEST = 18
#: Words for a missing value, as R, Excel, SQL and pandas write them; not in columns of text.
_MISSING = frozenset({"na", "n/a", "null", "nan", "-"})


def read_integer(text: str) -> int:
    """Parse a 64-bit integer, also with a fraction of zero; raise ValueError for any other text."""
    if _DIGITS.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        number = Decimal(text)
        if not number:
            return 0
        # The exponent is checked first, so that a huge number is never written out.
        if 0 <= number.adjusted() <= _LARGEST and INT64_MIN <= number <= INT64_MAX:
            whole = int(number)
            if whole == number:
                return whole
    raise ValueError("expected a whole number of 64 bits, such as 12 or 12.0")


def read_number(text: str) -> float:
    """Parse a finite number as people write it, such as `.5` or `+1.7`; raise ValueError if not."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("expected a finite number, such as 12.5 or -3e8")
    return float(text)


def read_boolean(text: str) -> bool:
    """Parse `true` or `false` in any case, as Python and spreadsheets write them."""
    return parse_boolean(text.lower())


_READ: Mapping[FieldType, Reader] = {
    FieldType.INTEGER: read_integer,
    FieldType.NUMBER: read_number,
    FieldType.BOOLEAN: read_boolean,
    FieldType.TIME: parse_time,
}


def reader_of(field: Field) -> Reader:
    """Return the parser of the field's values; it returns None for a word for a missing value.

    In a column of text such a word is a value; an empty text is left to the caller.

    """
    read = _READ.get(field.type)
    if read is None:
        return field.parse
    return partial(_read_nullable, read) if field.nullable else read


def _read_nullable(read: Reader, text: str) -> Any:
    try:
        value = read(text)
    except ValueError:
        if text.lower() in _MISSING:
            return None
        raise
    return None if value == NEVER_SET else value
