"""Plans of declared fields: the location of each value, its form and its type."""

import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

from domain.blocks import FieldBlock, Scalar
from domain.fields import FieldType, Int64
from domain.pointers import Pointer, parse_pointer
from domain.strict_reading import nearest

#: The types of fields that a file declares.
TYPES = {
    str(each): each
    for each in (
        FieldType.INTEGER,
        FieldType.NUMBER,
        FieldType.BOOLEAN,
        FieldType.TEXT,
        FieldType.TIME,
        FieldType.TEXTS,
    )
}

#: The forms of a type's values, besides the plain one and, for times, a pattern.
WRITTEN: Mapping[FieldType, tuple[str, ...]] = {
    FieldType.TIME: ("seconds", "milliseconds", "date", "http"),
    FieldType.INTEGER: ("text",),
    FieldType.NUMBER: ("text",),
    FieldType.BOOLEAN: ("number",),
    FieldType.TEXT: ("json",),
}


class Around(StrEnum):
    """The part of a response that contains a value."""

    RECORD = "record"
    BODY = "body"
    MEMBER = "member"
    SOURCE = "source"


class Origin(msgspec.Struct, frozen=True):
    """The location of a field's value: in the record, in the body around it, or elsewhere."""

    around: Around
    pointer: Pointer = Pointer()


class FieldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One declared field; `written` is the form of its value, "" for the plain one.

    `const` is the value of every record, if there is one.
    """

    name: str
    type: FieldType
    nullable: bool = False
    origin: Origin
    written: str = ""
    zone: str = ""
    null: tuple[str, ...] = ()
    const: Any = None
    choices: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Return whether the value is used as it is in the record."""
        return not (self.written or self.zone or self.null or self.const is not None)


def plan_of(name: str, block: str | FieldBlock) -> FieldPlan:
    """Return the plan of a field; raise ValueError for a block that contradicts itself."""
    if isinstance(block, str):
        block = FieldBlock(type=block)
    kind, nullable = block.type.removesuffix("?"), block.type.endswith("?")
    if kind not in TYPES:
        raise ValueError(
            f"unknown type {kind!r}{nearest(kind, TYPES)}; there are: {', '.join(TYPES)}"
        )
    plan = FieldPlan(
        name=name,
        type=TYPES[kind],
        nullable=nullable,
        origin=_origin(name, block.from_),
        written=block.as_ or "",
        zone=block.zone or "",
        null=tuple(block.null),
        const=block.const,
        choices=tuple(block.choices),
    )
    _check(plan, block)
    return plan


def _origin(name: str, text: str | None) -> Origin:
    match text:
        case None:
            return Origin(Around.RECORD, Pointer((name,)))
        case "#":
            return Origin(Around.MEMBER)
        case "@source":
            return Origin(Around.SOURCE)
    around = Around.BODY if text.startswith("$") else Around.RECORD
    pointer = parse_pointer(text.removeprefix("$"))
    if not pointer.is_single:
        raise ValueError("from leads to one value, so it has no step *")
    return Origin(around, pointer)


def _check(plan: FieldPlan, block: FieldBlock) -> None:
    if plan.const is not None:
        if block.from_ or block.as_ or block.zone or block.null:
            raise ValueError("a field with const has no from, as, zone or null")
        if not isinstance(plan.const, _CONSTANTS[plan.type]) or (
            plan.type is not FieldType.BOOLEAN and isinstance(plan.const, bool)
        ):
            raise ValueError(f"const is not a {plan.type}")
    _check_written(plan)
    if plan.zone:
        _check_zone(plan)
    if plan.choices and plan.type is not FieldType.TEXT:
        raise ValueError("only a string has choices")


def _check_written(plan: FieldPlan) -> None:
    known = list(WRITTEN.get(plan.type, ()))
    if plan.type is FieldType.TIME:
        if "%" in plan.written:
            return
        known.append("a pattern such as %d.%m.%Y")
    if plan.written and plan.written not in known:
        ways = ", ".join(known) or "none"
        raise ValueError(f"as = {plan.written!r} is unknown for {plan.type}; there are: {ways}")


def _check_zone(plan: FieldPlan) -> None:
    if plan.type is not FieldType.TIME or plan.written in ("seconds", "milliseconds", "http"):
        raise ValueError("zone belongs to a datetime whose text has no zone")
    try:
        zoneinfo.ZoneInfo(plan.zone)
    except (ValueError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise ValueError(f"{plan.zone!r} is not a time zone, such as Europe/Berlin") from error


_CONSTANTS: Mapping[FieldType, Any] = {
    FieldType.INTEGER: int,
    FieldType.NUMBER: (int, float),
    FieldType.BOOLEAN: bool,
    FieldType.TEXT: str,
    FieldType.TIME: (),
    FieldType.TEXTS: (),
}

_PYTHON: Mapping[FieldType, Any] = {
    FieldType.INTEGER: Int64,
    FieldType.NUMBER: float,
    FieldType.BOOLEAN: bool,
    FieldType.TEXT: str,
    FieldType.TIME: Annotated[datetime, msgspec.Meta(tz=True)],
    FieldType.TEXTS: list[str],
}


def python_type(plan: FieldPlan) -> Any:
    """Return the type of a field's values in a record."""
    kind = Literal[plan.choices] if plan.choices else _PYTHON[plan.type]
    return kind | None if plan.nullable else kind


def record_of(name: str, plans: Iterable[FieldPlan]) -> type[msgspec.Struct]:
    """Return the type of the records of a dataset."""
    title = "".join(part.capitalize() for part in name.split("_"))
    return msgspec.defstruct(title, [(p.name, python_type(p)) for p in plans], frozen=True)


def constant(plan: FieldPlan) -> Scalar:
    """Return the constant in the type of its field."""
    value: Scalar = plan.const
    return float(value) if plan.type is FieldType.NUMBER else value
