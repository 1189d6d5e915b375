"""Elements of JSON, strictly as their type says, or else as upstreams spell the same values."""

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

#: Times that the decoder reads in another way: rounded where they are to be cut, or never set.
_LONG_FRACTION = re.compile(rb"\.[0-9]{7,}[Zz+-]")
_NEVER_SET = b"0001-01-01"


class _Literal(str):
    """A number with a fraction or an exponent, as it is written."""

    __slots__ = ()


class ElementReader(Generic[E]):
    """Reads elements of one type; what its strict decoder refuses is read by its meaning.

    The same text always gives the same element, whatever stands beside it.
    """

    def __init__(self, element: type[E]) -> None:
        self._element = element
        self._info = inspect.type_info(element)
        self._strict = msgspec.json.Decoder(element)
        self._has_times = _holds_times(self._info)

    def doubts(self, text: bytes) -> bool:
        """Whether the strict decoder may read something in a text as another value."""
        return self._has_times and (_NEVER_SET in text or _LONG_FRACTION.search(text) is not None)

    def __call__(self, text: bytes) -> E:
        """Read one element; a DecodeError or UnicodeDecodeError says what is wrong with it."""
        if self.doubts(text):
            return self._meant(text)
        try:
            return self._strict.decode(text)
        except msgspec.ValidationError as strict:
            try:
                members = _meant(self._info, _SPELLED.decode(text))
            except (msgspec.DecodeError, ValueError):
                # Not even its members can be told; what was strictly wrong says more.
                raise strict from None
            return msgspec.convert(members, self._element)

    def _meant(self, text: bytes) -> E:
        return msgspec.convert(_meant(self._info, _SPELLED.decode(text)), self._element)


_SPELLED = msgspec.json.Decoder(float_hook=_Literal)


_READERS: WeakKeyDictionary[type[Any], ElementReader[Any]] = WeakKeyDictionary()


def reader_of(element: type[E]) -> ElementReader[E]:
    """Return the reader of a type of element, built once for as long as the type is in use."""
    if (reader := _READERS.get(element)) is None:
        _READERS[element] = reader = ElementReader(element)
    return reader


# ---------------------------------------------------------------- what a value means


def _meant(info: inspect.Type, value: Any) -> Any:
    """Return a value as its type has it where it is spelled in another way, else as it is."""
    match info:
        case inspect.Metadata():
            return _meant(info.type, value)
        case inspect.IntType():
            return _read(read_integer, value)
        case inspect.FloatType():
            return _read(read_number, value)
        case inspect.DateTimeType():
            return _read(parse_time, value)
        case inspect.UnionType():
            return _meant_or_none(info, value)
        case inspect.StructType() if isinstance(value, dict):
            known = {field.encode_name: field.type for field in info.fields}
            return {n: _meant(known.get(n, _ANY), each) for n, each in value.items()}
        case inspect.DictType() if isinstance(value, dict):
            return {name: _meant(info.value_type, each) for name, each in value.items()}
        case inspect.CollectionType() if isinstance(value, list):
            return [_meant(info.item_type, each) for each in value]
        case inspect.TupleType() if isinstance(value, list):
            return list(starmap(_meant, zip_longest(info.item_types, value, fillvalue=_ANY)))
    return _plain(value)


_ANY = inspect.AnyType()


def _meant_or_none(info: inspect.UnionType, value: Any) -> Any:
    types = [each for each in info.types if not isinstance(each, inspect.NoneType)]
    if value is None or len(types) != 1:
        return _plain(value)
    is_time = isinstance(types[0], inspect.DateTimeType)
    if is_time and info.includes_none and value == "":
        return None
    meant = _meant(types[0], value)
    return None if is_time and info.includes_none and meant == NEVER_SET else meant


def _read(read: Callable[[str], int | float | datetime], value: Any) -> Any:
    """Return what a text or a number with a fraction means; anything else is judged as it is."""
    if not isinstance(value, str):
        return value
    try:
        return read(value)
    except ValueError:
        return _plain(value)


def _plain(value: Any) -> Any:
    """Return a value without its spelling; a ValueError when a number in it is not finite."""
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
    """Whether there is a time anywhere in a type."""
    return "DateTimeType" in repr(info)
