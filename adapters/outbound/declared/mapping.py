"""Mappings of declared fields, compiled once, so that they are as fast as written ones."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from adapters.outbound.declared.values import reader_of
from adapters.outbound.formats.nested import Leaf, Nested
from domain.declarations import DeclaredSource
from domain.field_plans import Around, FieldPlan, constant, python_type
from domain.fields import FieldType
from domain.payloads import Payload
from domain.pointers import MISSING
from domain.sources import RecordMapping

_Fill = Callable[[Iterator[Any], "Surroundings"], Any]


class Surroundings:
    """The surroundings of a record: its payload, values of the body, and its name there."""

    def __init__(self, payload: Payload, values: Sequence[Any]) -> None:
        self.payload = payload
        self.values = values
        #: The name, or the position, of the record that is being read.
        self.member = ""


def mapping_of(source: DeclaredSource, record: type[msgspec.Struct]) -> RecordMapping[Any, Any]:
    """Return the mapping from the elements of a declared source to records."""
    compiled = _Compiled(source, record)
    return RecordMapping(
        element=compiled.element,
        record=compiled.record,
        context=Surroundings,
        surroundings=tuple(compiled.around),
        needs_member=compiled.needs_member,
    )


class _Compiled:
    """The compiled plans of a source: an element type, and the function that makes records."""

    def __init__(self, source: DeclaredSource, record: type[msgspec.Struct]) -> None:
        plans = source.fields
        self._make = record
        self._inside = [plan for plan in plans if _is_inside(plan)]
        self.element, self._values = self._reader(source)
        self.around = [p.origin.pointer for p in plans if p.origin.around is Around.BODY]
        self.needs_member = any(plan.origin.around is Around.MEMBER for plan in plans)
        self._is_plain = all(_is_inside(plan) and plan.is_plain for plan in plans)
        self._fills = [self._fill(plan, source.name) for plan in plans]

    def record(self, element: Any, around: Surroundings) -> Any:
        """Return the record of an element; raise ValueError if it is invalid."""
        found = self._values(element)
        if self._is_plain:
            return self._make(*found)
        values = iter(found)
        return self._make(*[fill(values, around) for fill in self._fills])

    def _reader(self, source: DeclaredSource) -> tuple[Any, Callable[[Any], Sequence[Any]]]:
        """Return the element type, and the function that finds its values."""
        if source.format == "csv":
            return _row(self._inside), msgspec.structs.astuple
        if any(not plan.origin.pointer.steps for plan in self._inside):
            return Any, self._found  # a field is the element itself
        nested = Nested([_leaf(plan) for plan in self._inside])
        return nested.type, nested.values

    def _found(self, element: Any) -> list[Any]:
        found = []
        for plan in self._inside:
            value = plan.origin.pointer.find(element)
            found.append(_converted(plan, value) if plan.is_plain else _present(value))
        return found

    def _fill(self, plan: FieldPlan, source: str) -> _Fill:
        if plan.const is not None:
            fixed = constant(plan)
            return lambda values, around: fixed
        match plan.origin.around:
            case Around.SOURCE:
                return lambda values, around: source
            case Around.MEMBER:
                return _reading(plan, lambda values, around: around.member)
            case Around.BODY:
                index = self.around.index(plan.origin.pointer)
                return _reading(plan, lambda values, around: around.values[index])
        if plan.is_plain:
            return lambda values, around: next(values)
        return _reading(plan, lambda values, around: next(values))


def _reading(plan: FieldPlan, take: _Fill) -> _Fill:
    """Return the function that takes a value and reads it by the plan."""
    read = reader_of(plan) or partial(_converted, plan)
    name, null, nullable = plan.name, frozenset(plan.null), plan.nullable

    def fill(values: Iterator[Any], around: Surroundings) -> Any:
        value = take(values, around)
        if value is None or (isinstance(value, str) and value in null):
            if nullable:
                return None
            raise ValueError(f"{name} is missing")
        try:
            return read(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    return fill


def _converted(plan: FieldPlan, value: Any) -> Any:
    """Return a plain value in the type of its field."""
    value = _present(value)
    if value is None:
        if plan.nullable:
            return None
        raise ValueError(f"{plan.name} is missing")
    try:
        # A number as text is accepted, as in all JSON.
        return msgspec.convert(value, python_type(plan), strict=plan.type is FieldType.TEXT)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def _present(value: Any) -> Any:
    return None if value is MISSING else value


def _is_inside(plan: FieldPlan) -> bool:
    return plan.origin.around is Around.RECORD and plan.const is None


def _row(plans: Sequence[FieldPlan]) -> type[msgspec.Struct]:
    """Return the type of a row of CSV, whose fields are its columns."""
    fields: list[Any] = []
    columns = {}
    for number, plan in enumerate(plans):
        name = f"f{number}"
        columns[name] = str(plan.origin.pointer).removeprefix("/").strip().lower()
        kind = python_type(plan) if plan.is_plain else str | None
        fields.append((name, kind, None) if plan.nullable else (name, kind))
    return msgspec.defstruct("Row", fields, rename=columns, kw_only=True)


def _leaf(plan: FieldPlan) -> Leaf:
    if plan.is_plain:
        return Leaf(plan.origin.pointer, _plain_type(plan), not plan.nullable)
    return Leaf(plan.origin.pointer, Any)


def _plain_type(plan: FieldPlan) -> Any:
    return python_type(msgspec.structs.replace(plan, nullable=False))
