"""Filters on records: parsing, formatting and matching.

`Filter.matches` defines the meaning of a filter. Stores translate filters into their own query
language and must agree with it; property tests compare them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from domain.errors import InvalidValue, MalformedQuery, UnknownParameter
from domain.fields import Field, FieldType

MAX_CONDITIONS = 20
MAX_VALUES = 200


class Operator(StrEnum):
    """The comparison operators; the value is the suffix in `field__op=value`."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    NIN = "nin"
    BETWEEN = "between"
    ISNULL = "isnull"
    CONTAINS = "contains"
    ICONTAINS = "icontains"
    STARTSWITH = "startswith"
    HAS = "has"

    @property
    def takes_list(self) -> bool:
        """Return whether the operator takes several values, separated by commas."""
        return self in (Operator.IN, Operator.NIN, Operator.BETWEEN)

    @property
    def keeps_null(self) -> bool:
        """Return whether a missing value matches: `ne` and `nin` negate `eq` and `in`."""
        return self in (Operator.NE, Operator.NIN)


_EQUAL = (Operator.EQ, Operator.NE)
_LISTED = (*_EQUAL, Operator.IN, Operator.NIN)
_ORDERED = (
    *_LISTED,
    Operator.LT,
    Operator.LTE,
    Operator.GT,
    Operator.GTE,
    Operator.BETWEEN,
)
_OPERATORS: Mapping[FieldType, tuple[Operator, ...]] = {
    FieldType.INTEGER: _ORDERED,
    FieldType.NUMBER: _ORDERED,
    FieldType.TIME: _ORDERED,
    FieldType.TEXT: (*_ORDERED, Operator.CONTAINS, Operator.ICONTAINS, Operator.STARTSWITH),
    FieldType.CHOICE: _LISTED,
    FieldType.BOOLEAN: _EQUAL,
    FieldType.TEXTS: (Operator.HAS,),
}


def operators_of(field: Field) -> tuple[Operator, ...]:
    """Return the operators that a field supports."""
    return _OPERATORS[field.type] + ((Operator.ISNULL,) if field.nullable else ())


class Condition(msgspec.Struct, frozen=True):
    """One comparison; `value` is a tuple for operators that take a list."""

    field: Field
    operator: Operator
    value: Any

    @property
    def name(self) -> str:
        """Return the name of the parameter, `field__operator`."""
        return f"{self.field.name}__{self.operator}"

    @property
    def text(self) -> str:
        """Return the value of the parameter, as `Filter.parse` reads it back."""
        if self.operator is Operator.ISNULL:
            return "true" if self.value else "false"
        if self.operator.takes_list:
            return ",".join(_escape(self.field.format(value)) for value in self.value)
        return self.field.format(self.value)

    def matches(self, record: Any) -> bool:
        """Return whether the record meets this condition."""
        value = getattr(record, self.field.name)
        if self.operator is Operator.ISNULL:
            return (value is None) is self.value
        if value is None:
            return self.operator.keeps_null
        return _TEST[self.operator](value, self.value)


class Filter(msgspec.Struct, frozen=True):
    """Conditions that must all hold."""

    conditions: tuple[Condition, ...] = ()

    def __and__(self, other: "Filter") -> "Filter":
        """Return a filter for records that match both."""
        return Filter(self.conditions + other.conditions)

    def matches(self, record: Any) -> bool:
        """Return whether the record meets every condition."""
        return all(condition.matches(record) for condition in self.conditions)

    def format(self) -> list[tuple[str, str]]:
        """Return the parameters that `parse` reads back, in canonical order."""
        return sorted({(condition.name, condition.text) for condition in self.conditions})

    @classmethod
    def parse(cls, fields: Mapping[str, Field], parameters: Iterable[tuple[str, str]]) -> "Filter":
        """Parse a filter from (name, text) pairs.

        Raise UnknownParameter for an unknown field or operator, InvalidValue for a value that does
        not parse, and MalformedQuery for too many conditions.
        """
        conditions = tuple(_condition(fields, name, text) for name, text in parameters)
        if len(conditions) > MAX_CONDITIONS:
            raise MalformedQuery(
                conditions[-1].name, f"a query has at most {MAX_CONDITIONS} conditions"
            )
        return cls(conditions)


def _condition(fields: Mapping[str, Field], name: str, text: str) -> Condition:
    field_name, separator, suffix = name.rpartition("__")
    field = fields.get(field_name if separator else name)
    if field is None:
        allowed = ", ".join(fields)
        raise UnknownParameter(name, f"unknown parameter; the fields are: {allowed}")
    operators = operators_of(field)
    if not separator:
        suffix = Operator.HAS if field.type is FieldType.TEXTS else Operator.EQ
    if suffix not in operators:
        allowed = ", ".join(operators)
        raise UnknownParameter(name, f"{field.name} supports these operators: {allowed}")
    operator = Operator(suffix)
    try:
        return Condition(field, operator, _value(field, operator, text))
    except ValueError as error:
        raise InvalidValue(name, str(error) if text else f"{error}; {_empty(field)}") from error


def _empty(field: Field) -> str:
    """Return what to ask instead of an empty value, when that is not a value of the field."""
    isnull = f"{field.name}__{Operator.ISNULL}"
    if field.nullable:
        return f"for records without a value ask {isnull}=true"
    return f"no record is without a value, so there is no {isnull}; leave it out to ask for all"


def _value(field: Field, operator: Operator, text: str) -> Any:
    if operator is Operator.ISNULL:
        return _ISNULL.parse_query(text)
    if not operator.takes_list:
        return field.parse_query(text)
    values = [field.parse_query(item) for item in _split(text)]
    if operator is not Operator.BETWEEN:
        # Neither order nor repetition has a meaning: equal filters are equal values.
        return tuple(sorted(set(values)))
    if len(values) != 2:
        raise ValueError("expected two values, separated by a comma")
    return tuple(values)


_ISNULL = Field("isnull", FieldType.BOOLEAN)


# ---------------------------------------------------------------- lists in one value


_BLANKS = " \t"
_ITEM = re.compile(r"((?:[^\\,]|\\.)*),", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\, \t])")


def joined(texts: Iterable[str]) -> str:
    """Return several lists as one."""
    # A backslash at the end of a list is literal, and must not escape the comma after it.
    return ",".join(f"{text}\\" if _ends_open(text) else text for text in texts)


def _split(text: str) -> list[str]:
    """Split at commas, and trim each item.

    A backslash escapes a comma, a backslash or a blank after it.
    """
    if "\\" in text:
        items = list(_items(text))
    else:
        items = [item.strip(_BLANKS) for item in text.split(",")]
    if len(items) > MAX_VALUES:
        raise ValueError(f"expected at most {MAX_VALUES} values")
    return items


def _items(text: str) -> Iterable[str]:
    for raw in _ITEM.findall(joined([text, ""])):
        left = raw.lstrip(_BLANKS)
        item = left.rstrip(_BLANKS)
        if _ends_open(item):
            item = left[: len(item) + 1]
        yield _ESCAPED.sub(r"\1", item)


def _ends_open(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _escape(text: str) -> str:
    text = text.replace("\\", "\\\\").replace(",", "\\,")
    if text.endswith(tuple(_BLANKS)):
        text = f"{text[:-1]}\\{text[-1]}"
    return f"\\{text}" if text.startswith(tuple(_BLANKS)) else text


# ---------------------------------------------------------------- matching

_UPPER_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _fold(text: str) -> str:
    # ASCII letters only: engines fold other letters differently.
    return text.translate(_UPPER_TO_LOWER)


_TEST: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: lambda value, wanted: bool(value == wanted),
    Operator.NE: lambda value, wanted: bool(value != wanted),
    Operator.LT: lambda value, bound: bool(value < bound),
    Operator.LTE: lambda value, bound: bool(value <= bound),
    Operator.GT: lambda value, bound: bool(value > bound),
    Operator.GTE: lambda value, bound: bool(value >= bound),
    Operator.IN: lambda value, wanted: value in wanted,
    Operator.NIN: lambda value, wanted: value not in wanted,
    Operator.BETWEEN: lambda value, bounds: bool(bounds[0] <= value <= bounds[1]),
    Operator.CONTAINS: lambda value, part: part in value,
    Operator.ICONTAINS: lambda value, part: _fold(part) in _fold(value),
    Operator.STARTSWITH: lambda value, start: value.startswith(start),
    Operator.HAS: lambda value, wanted: wanted in value,
}
