"""JSON elements: decoded strictly by their type, or else leniently from other spellings."""

import math
import re
from collections.abc import Callable
from datetime import datetime
from itertools import starmap, zip_longest
from typing import Any, Generic
from weakref import WeakKeyDictionary

import msgspec
from msgspec import inspect

from domain.sources import E
from domain.times import NEVER_SET, parse_time
from domain.value_parsing import read_integer, read_number

#: Times that the decoder reads differently: it rounds instead of cutting, and reads zero times.
_LONG_FRACTION = re.compile(rb"\.[0-9]{7,}[Zz+-]")
_NEVER_SET = b"0001-01-01"


class _Literal(str):
    """A number with a fraction or an exponent, as written."""

    __slots__ = ()


class ElementReader(Generic[E]):
    """A decoder of elements of one type; it reads leniently what the strict decoder rejects.

    The same text always gives the same element, independent of its neighbours.
    """

    def __init__(self, element: type[E]) -> None:
        self._element = element
        self._info = inspect.type_info(element)
        self._strict = msgspec.json.Decoder(element)
        self._has_times = _holds_times(self._info)

    def is_ambiguous(self, text: bytes) -> bool:
        """Return whether the strict decoder may read a value of the text differently."""
        return self._has_times and (_NEVER_SET in text or _LONG_FRACTION.search(text) is not None)

    def __call__(self, text: bytes) -> E:
        """Read one element; raise DecodeError or UnicodeDecodeError if it is invalid."""
        if self.is_ambiguous(text):
            return self._lenient(text)
        try:
            return self._strict.decode(text)
        except msgspec.ValidationError as strict:
            try:
                members = _lenient(self._info, _LITERAL_DECODER.decode(text))
            except (msgspec.DecodeError, ValueError):
                # Even its members are invalid; the strict error says more.
                raise strict from None
            return msgspec.convert(members, self._element)

    def _lenient(self, text: bytes) -> E:
        return msgspec.convert(_lenient(self._info, _LITERAL_DECODER.decode(text)), self._element)


_LITERAL_DECODER = msgspec.json.Decoder(float_hook=_Literal)


_READERS: WeakKeyDictionary[type[Any], ElementReader[Any]] = WeakKeyDictionary()


def reader_of(element: type[E]) -> ElementReader[E]:
    """Return the reader of an element type, cached for as long as the type exists."""
    if (reader := _READERS.get(element)) is None:
        _READERS[element] = reader = ElementReader(element)
    return reader


# ---------------------------------------------------------------- lenient values


def _lenient(info: inspect.Type, value: Any) -> Any:
    """Return a value of this type for another spelling of it; any other value unchanged."""
    match info:
        case inspect.Metadata():
            return _lenient(info.type, value)
        case inspect.IntType():
            return _read(read_integer, value)
        case inspect.FloatType():
            return _read(read_number, value)
        case inspect.DateTimeType():
            return _read(parse_time, value)
        case inspect.UnionType():
            return _lenient_or_none(info, value)
        case inspect.StructType() if isinstance(value, dict):
            known = {field.encode_name: field.type for field in info.fields}
            return {n: _lenient(known.get(n, _ANY), each) for n, each in value.items()}
        case inspect.DictType() if isinstance(value, dict):
            return {name: _lenient(info.value_type, each) for name, each in value.items()}
        case inspect.CollectionType() if isinstance(value, list):
            return [_lenient(info.item_type, each) for each in value]
        case inspect.TupleType() if isinstance(value, list):
            return list(starmap(_lenient, zip_longest(info.item_types, value, fillvalue=_ANY)))
    return _plain(value)


_ANY = inspect.AnyType()


def _lenient_or_none(info: inspect.UnionType, value: Any) -> Any:
    types = [each for each in info.types if not isinstance(each, inspect.NoneType)]
    if value is None or len(types) != 1:
        return _plain(value)
    is_time = isinstance(types[0], inspect.DateTimeType)
    if is_time and info.includes_none and value == "":
        return None
    lenient = _lenient(types[0], value)
    return None if is_time and info.includes_none and lenient == NEVER_SET else lenient


def _read(read: Callable[[str], int | float | datetime], value: Any) -> Any:
    """Return the value of a text or a literal number; any other value, or an invalid one, as is."""
    if not isinstance(value, str):
        return value
    try:
        return read(value)
    except ValueError:
        return _plain(value)


def _plain(value: Any) -> Any:
    """Return a value without literals; raise ValueError if a number in it is not finite."""
    if isinstance(value, _Literal):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("a number is out of range")
        return number
    if isinstance(value, list):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _holds_times(info: inspect.Type) -> bool:
    """Return whether there is a time anywhere in a type."""
    return "DateTimeType" in repr(info)
