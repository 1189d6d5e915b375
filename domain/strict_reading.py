"""Strict conversion of TOML tables to Structs, with all errors at once."""

import difflib
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

S = TypeVar("S", bound=msgspec.Struct)

Keys = tuple[str, ...]


class Problem(msgspec.Struct, frozen=True):
    """An error in a table: the keys that lead to it, and what was expected."""

    keys: Keys
    detail: str

    def __str__(self) -> str:
        return f"{'.'.join(map(_written, self.keys))}: {self.detail}"


class InvalidTable(Exception):
    """All errors of a table."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def read_strictly(table: Any, kind: type[S], keys: Keys = ()) -> S:
    """Return the table as a Struct; raise InvalidTable with all its errors."""
    if problems := list(_problems(kind, table, keys)):
        raise InvalidTable(problems)
    return msgspec.convert(table, kind)


def nearest(name: str, known: Mapping[str, object] | list[str]) -> str:
    """Return a hint with the known name that is similar to an unknown one, if any is."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _written(key: str) -> str:
    is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if is_bare else f'"{key}"'


def _problems(hint: Any, value: Any, keys: Keys) -> Iterator[Problem]:
    members = _members(hint)
    if isinstance(value, dict):
        for member in members:
            if isinstance(member, type) and issubclass(member, msgspec.Struct):
                yield from _struct_problems(member, value, keys)
                return
            if get_origin(member) is dict:
                for name, each in value.items():
                    yield from _problems(get_args(member)[1], each, (*keys, name))
                return
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        if advice := getattr(members[0], "ADVICE", ""):
            # The value may be a secret, so it is not shown.
            yield Problem(keys, advice)
            return
        expected = " or ".join(dict.fromkeys(map(_described, members)))
        yield Problem(keys, f"expected {expected}, and there is {_kind(value)}")


def _struct_problems(
    kind: type[msgspec.Struct], table: Mapping[str, Any], keys: Keys
) -> Iterator[Problem]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name, value in table.items():
        if name in fields:
            yield from _problems(fields[name].type, value, (*keys, name))
        else:
            hint = nearest(name, fields) or f"; there are: {', '.join(fields)}"
            yield Problem((*keys, name), f"unknown key{hint}")
    for name, field in fields.items():
        if field.required and name not in table:
            yield Problem(keys, f"{name} is missing")


def _members(hint: Any) -> list[Any]:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        return [member for member in get_args(hint) if member is not types.NoneType]
    return [hint]


_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def _described(hint: Any) -> str:
    """Return the expected values of a type, in words."""
    origin = get_origin(hint)
    if origin is Literal:
        return " or ".join(f'"{each}"' for each in get_args(hint))
    if origin in (list, tuple):
        return f"a list of {' or '.join(map(_described, _members(get_args(hint)[0])))}"
    return _WORDS.get(hint, "a table")


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value[:40]}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)[:40]
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else "a date"
