"""Guesses of fields and keys, from all records that were seen."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from domain.fields import INT64_MAX, INT64_MIN
from domain.pointers import MISSING, Pointer
from domain.times import parse_time

_DEEPEST = 3
_LONGEST_NAME = 31
#: As many records show what a field is.
ENOUGH = 20
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
#: How good a name is for a key, the best first.
_KEYS = (
    re.compile(r"id|_id"),
    re.compile(r"uuid|guid|key"),
    re.compile(r".*_id|.*_uuid"),
    re.compile(r"slug|sku|code|symbol|iso.*"),
    re.compile(r"name|.*_name|.*_key|number|login|username|email"),
)


class FieldGuess(msgspec.Struct, frozen=True, kw_only=True):
    """A field: its name, where it is, its type, and how many of the records have a value."""

    name: str
    pointer: Pointer
    type: str
    nullable: bool
    example: Any


class LeftOut(msgspec.Struct, frozen=True):
    """What is not kept in the table, and why."""

    pointer: Pointer
    reason: str


class FieldsGuess(msgspec.Struct, frozen=True):
    """The fields of records, and what is left out."""

    fields: list[FieldGuess]
    left_out: list[LeftOut]


class KeyGuess(msgspec.Struct, frozen=True, kw_only=True):
    """A field that identifies records as far as was seen."""

    name: str
    sure: bool
    evidence: str


def guess_fields(elements: Sequence[Any]) -> FieldsGuess:
    """Return the fields of these records; texts or numbers are one field."""
    if not isinstance(elements[0], dict):
        kind, example = _merged([each for each in elements if each is not None])
        field = FieldGuess(
            name="id", pointer=Pointer(), type=kind, nullable=None in elements, example=example
        )
        return FieldsGuess([field], [])
    fields: list[FieldGuess] = []
    left_out: list[LeftOut] = []
    names: set[str] = set()
    for pointer in _leaves(elements):
        values = [pointer.find(each) for each in elements]
        present = [each for each in values if each is not MISSING and each is not None]
        if not present:
            left_out.append(LeftOut(pointer, "is always null"))
            continue
        kind, example = _merged(present)
        if not kind:
            left_out.append(LeftOut(pointer, "holds lists of objects, or values of several kinds"))
            continue
        name = _free_name(pointer, names)
        names.add(name)
        nullable = len(present) < len(values)
        fields.append(
            FieldGuess(name=name, pointer=pointer, type=kind, nullable=nullable, example=example)
        )
    return FieldsGuess(fields, left_out)


def guess_keys(fields: Sequence[FieldGuess], elements: Sequence[Any]) -> list[KeyGuess]:
    """Return the fields that identify the records seen, the best first."""
    ranked = []
    for field in fields:
        values = [field.pointer.find(each) for each in elements]
        is_text_or_number = field.type in ("integer", "string")
        if field.nullable or not is_text_or_number or len(set(values)) < len(values):
            continue
        if any(isinstance(each, str) and (not each or "://" in each) for each in values):
            continue
        depth = len(field.pointer.steps)
        ranked.append((_rank(field.name), depth, field))
    ranked.sort(key=lambda each: each[:2])
    guesses = []
    for number, (rank, depth, field) in enumerate(ranked):
        alone = all(each[:2] != (rank, depth) for each in ranked[number + 1 :])
        sure = not number and rank <= 1 and alone and len(elements) >= ENOUGH
        evidence = f"unique and present in all {len(elements)} records seen"
        guesses.append(KeyGuess(name=field.name, sure=sure, evidence=evidence))
    return guesses


def _rank(name: str) -> int:
    return next((n for n, each in enumerate(_KEYS) if each.fullmatch(name)), len(_KEYS))


# ---------------------------------------------------------------- where values are


def _leaves(elements: Sequence[Any]) -> list[Pointer]:
    found: dict[tuple[str, ...], None] = {}
    for each in elements:
        for steps in _steps(each, ()):
            found[steps] = None
    inner = {steps[:n] for steps in found for n in range(1, len(steps))}
    return [Pointer(steps) for steps in found if steps not in inner]


def _steps(value: Any, steps: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and len(steps) < _DEEPEST and (value or not steps):
        for name, each in value.items():
            yield from _steps(each, (*steps, name))
    else:
        yield steps


def _free_name(pointer: Pointer, taken: set[str]) -> str:
    """Return a name of a-z, 0-9 and _ from the last step, or from more of them if it is taken."""
    steps = [step or "" for step in pointer.steps]
    for start in range(len(steps) - 1, -1, -1):
        name = _name("_".join(steps[start:]))
        if name not in taken:
            return name
    number = 2
    while (numbered := f"{name[: _LONGEST_NAME - 3]}_{number}") in taken:
        number += 1
    return numbered


def _name(text: str) -> str:
    words = [each for each in _WORD.split(text) if each and each.isascii()]
    name = "_".join(words).lower()[:_LONGEST_NAME].strip("_")
    return name if name[:1].isalpha() else f"f_{name}"[:_LONGEST_NAME].strip("_")


# ---------------------------------------------------------------- what values are


def _merged(values: Sequence[Any]) -> tuple[str, Any]:
    """Return the type that all values have, "" if there is none, and one of the values."""
    kinds = {_kind(each) for each in values}
    example = values[0] if values else None
    if kinds == {"integer", "number"}:
        return "number", example
    if kinds == {"datetime", "string"}:
        return "string", example
    if len(kinds) != 1:
        return "", example
    return kinds.pop(), example


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer" if INT64_MIN <= value <= INT64_MAX else "number"
        case float():
            return "number"
        case str():
            return "datetime" if _is_time(value) else "string"
        case list() if all(isinstance(each, str) for each in value):
            return "list"
    return ""


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True
