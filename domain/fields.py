"""Fields of a record: their types, how values are parsed and formatted, and which can be stored."""

import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from domain.errors import InvalidDataset
from domain.times import parse_time

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

#: An integer that every engine, and JSON, can represent.
Int64 = Annotated[int, msgspec.Meta(ge=INT64_MIN, le=INT64_MAX)]


class FieldType(StrEnum):
    """The types of fields, as named in the catalogue."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "datetime"
    TEXT = "string"
    CHOICE = "enum"
    TEXTS = "list"


class Field(msgspec.Struct, frozen=True):
    """One field of a record."""

    name: str
    type: FieldType
    nullable: bool = False
    choices: tuple[str, ...] = ()

    @property
    def sortable(self) -> bool:
        """Return whether records can be sorted by this field."""
        return self.type is not FieldType.TEXTS

    def parse(self, text: str) -> Any:
        """Parse one value; a ValueError says what was expected."""
        if self.choices and text not in self.choices:
            raise ValueError(f"expected one of {', '.join(self.choices)}")
        return _PARSE[self.type](text)

    def parse_query(self, text: str) -> Any:
        """Parse one value of a query string, where `True` and a plain date are also values.

        A ValueError also says how to write the value in a query string.
        """
        normalised = _NORMALISED.get(self.type)
        try:
            return self.parse(text if normalised is None else normalised(text))
        except ValueError as error:
            if self.type is FieldType.TIME and _PLUS_LOST.search(text):
                raise ValueError(f"{error} (write + as %2B)") from error
            raise

    def format(self, value: Any) -> str:
        """Return one value as the text that `parse` reads back."""
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(value, bool):
            return "true" if value else "false"
        # Zero has no sign: both zeros are equal, so they are written the same.
        return repr(value + 0.0) if isinstance(value, float) else str(value)

    def defect(self, value: Any) -> str | None:
        """Return why this value cannot be stored; None if it can."""
        if value is None:
            return None if self.nullable else "is missing"
        texts = (value,) if self.type is FieldType.TEXT else value
        if self.type in _LONG_TYPES and _are_too_long(texts):
            return f"is longer than {MAX_TEXT_BYTES} bytes"
        return _DEFECT[self.type](value)

    def sound(self, column: Sequence[Any]) -> bool:
        """Return whether every value can be stored; much cheaper than `defect` for each."""
        present = column
        if self.nullable:
            present = [value for value in column if value is not None]
        elif None in column:
            return False
        if self.type is FieldType.TEXT:
            if max(map(len, present), default=0) > _SURELY_SHORT and any(
                _are_too_long((value,)) for value in present
            ):
                return False
            present = ["".join(present)]
        elif self.type is FieldType.TEXTS and any(map(_are_too_long, present)):
            return False
        elif self.type is FieldType.INTEGER and present:
            present = [min(present), max(present)]
        defect_of = _DEFECT[self.type]
        return all(defect_of(value) is None for value in present)


def fields_of(record: type[msgspec.Struct]) -> dict[str, Field]:
    """Return the fields of a record type; raise InvalidDataset for a type no store supports."""
    hints = get_type_hints(record, include_extras=True)
    return {f.name: _field(f.name, hints[f.name]) for f in msgspec.structs.fields(record)}


def _field(name: str, hint: Any) -> Field:
    hint, nullable = _without_none(hint)
    origin = get_origin(hint)
    if origin is Annotated:
        return _field(name, _nullable(get_args(hint)[0], nullable))
    if origin is Literal:
        return Field(name, FieldType.CHOICE, nullable, tuple(map(str, get_args(hint))))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return Field(name, FieldType.CHOICE, nullable, tuple(str(member) for member in hint))
    if origin in (list, tuple) and get_args(hint)[0] is str:
        return Field(name, FieldType.TEXTS, nullable)
    if hint not in _TYPES:
        raise InvalidDataset(f"field {name} has type {hint}, which no store supports")
    return Field(name, _TYPES[hint], nullable)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    members = [member for member in get_args(hint) if member is not types.NoneType]
    if len(members) != 1:
        raise InvalidDataset(f"{hint} is a union of types, which no store supports")
    return members[0], True


def _nullable(hint: Any, nullable: bool) -> Any:
    return hint | None if nullable else hint


_TYPES: Mapping[Any, FieldType] = {
    int: FieldType.INTEGER,
    float: FieldType.NUMBER,
    bool: FieldType.BOOLEAN,
    datetime: FieldType.TIME,
    str: FieldType.TEXT,
}

# ---------------------------------------------------------------- parsing

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")
#: The end of a time whose plus sign was read as the blank it stands for in a query string.
_PLUS_LOST = re.compile(r":[0-9]{2}(?:\.[0-9]+)? [0-9]{2}(?::?[0-9]{2})?")


def parse_integer(text: str) -> int:
    """Parse a 64-bit integer of plain ASCII digits."""
    if not _INTEGER.fullmatch(text) or not INT64_MIN <= int(text) <= INT64_MAX:
        raise ValueError("expected a 64-bit integer in plain digits")
    return int(text)


def _parse_number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("expected a finite number, such as 12.5 or -3e8")
    return float(text)


def parse_boolean(text: str) -> bool:
    """Parse `true` or `false`; raise ValueError for any other text."""
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _parse_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without the character U+0000")
    return text


_PARSE: Mapping[FieldType, Callable[[str], Any]] = {
    FieldType.INTEGER: parse_integer,
    FieldType.NUMBER: _parse_number,
    FieldType.BOOLEAN: parse_boolean,
    FieldType.TIME: parse_time,
    FieldType.TEXT: _parse_text,
    FieldType.CHOICE: _parse_text,
    FieldType.TEXTS: _parse_text,
}

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _as_time(text: str) -> str:
    return f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text


#: How values of a query string become values that `parse` accepts.
_NORMALISED: Mapping[FieldType, Callable[[str], str]] = {
    FieldType.BOOLEAN: str.lower,
    FieldType.TIME: _as_time,
}

# ---------------------------------------------------------------- storable values


def _integer_defect(value: Any) -> str | None:
    return None if INT64_MIN <= value <= INT64_MAX else "does not fit in 64 bits"


def _number_defect(value: Any) -> str | None:
    return None if math.isfinite(value) else "is not a finite number"


def _time_defect(value: Any) -> str | None:
    if value.tzinfo is None:
        return "has no time zone"
    try:
        value.astimezone(UTC)
    except OverflowError:
        return "lies outside the years 1 to 9999"
    return None


def _text_defect(value: Any) -> str | None:
    if "\0" in value:
        return "holds the character U+0000"
    # A lone surrogate has no UTF-8 encoding, so no store and no response can contain it.
    return None if value.isascii() or _encodes(value) else "holds a lone surrogate"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


#: The limit of a text, and of all texts of a list together: a page must have room for a few.
MAX_TEXT_BYTES = 1024 * 1024
#: So many characters have no more bytes than that, whatever they are.
_SURELY_SHORT = MAX_TEXT_BYTES // 4
_LONG_TYPES = frozenset({FieldType.TEXT, FieldType.TEXTS})


def _are_too_long(texts: Sequence[str]) -> bool:
    """Return whether texts have more than MAX_TEXT_BYTES together."""
    if sum(map(len, texts)) <= _SURELY_SHORT:
        return False
    return sum(len(text.encode(errors="replace")) for text in texts) > MAX_TEXT_BYTES


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """Return the text with U+FFFD in place of every character that cannot be stored."""
    return _UNSTORABLE.sub("\ufffd", text)


def _texts_defect(value: Any) -> str | None:
    return next(filter(None, map(_text_defect, value)), None)


_DEFECT: Mapping[FieldType, Callable[[Any], str | None]] = {
    FieldType.INTEGER: _integer_defect,
    FieldType.NUMBER: _number_defect,
    FieldType.BOOLEAN: lambda value: None,
    FieldType.TIME: _time_defect,
    FieldType.TEXT: _text_defect,
    FieldType.CHOICE: _text_defect,
    FieldType.TEXTS: _texts_defect,
}
