"""JSON as text: the values at pointers, and the elements of lists, valid or not."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from domain.errors import UnexpectedContent
from domain.pointers import Pointer

MAX_DEPTH = 64

# ---------------------------------------------------------------- values at pointers


def value_at(text: bytes, pointer: Pointer) -> bytes:
    """Return the text of the value at a pointer; raise UnexpectedContent if there is none."""
    for number, step in enumerate(pointer.steps):
        value = _members(text, number, pointer).get(step or "")
        if value is None:
            raise _nothing_at(Pointer(pointer.steps[: number + 1]))
        text = value
    return text


def value_or_none(text: bytes, pointer: Pointer) -> Any:
    """Return the value at a pointer, None if there is none."""
    try:
        return msgspec.json.decode(value_at(text, pointer))
    except (UnexpectedContent, msgspec.DecodeError):
        return None


def found(text: bytes, pointer: Pointer) -> Iterator[tuple[str, bytes]]:
    """Yield the texts at a pointer with the step `*`, each with its own pointer."""
    position = pointer.steps.index(None)
    before, after = Pointer(pointer.steps[:position]), Pointer(pointer.steps[position + 1 :])
    for name, element in _members(value_at(text, before), position, pointer).items():
        yield f"{before}{Pointer((name,))}{after}", value_at(element, after)


def rows(text: bytes, records: Pointer, columns: Pointer) -> Iterator[tuple[str, bytes]]:
    """Yield the rows of a table as objects, with the member names at `columns`."""
    names = msgspec.json.decode(value_at(text, columns))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UnexpectedContent(f"the value at {columns} is not a list of names")
    for index, row in enumerate(elements(value_at(text, records))):
        yield f"{records}/{index}", _named(names, row)


def _named(names: Sequence[str], row: bytes) -> bytes:
    try:
        values = msgspec.json.decode(row, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return row  # it is rejected later
    return msgspec.json.encode(dict(zip(names, values, strict=False)))


def _members(text: bytes, depth: int, pointer: Pointer) -> dict[str, bytes]:
    """Return the texts of an object's members by name, or of a list's elements by number."""
    try:
        if text.lstrip().startswith(b"["):
            listed = msgspec.json.decode(text, type=list[msgspec.Raw])
            return {str(number): bytes(each) for number, each in enumerate(listed)}
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except RecursionError as error:
        raise too_deep() from error
    except msgspec.ValidationError:
        raise _nothing_at(Pointer(pointer.steps[:depth])) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnexpectedContent("the body is not valid JSON", code="incomplete") from error
    return {name: bytes(each) for name, each in members.items()}


def _nothing_at(pointer: Pointer) -> UnexpectedContent:
    return UnexpectedContent(f"the body has nothing at {pointer}, where records were expected")


# ---------------------------------------------------------------- the elements of a list

_STRING = rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_FLAT = rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+"
#: A list or object without another one inside is one token, which most records are.
_TOKEN = re.compile(
    rb"\{" + _FLAT + rb"\}|\[" + _FLAT + rb"\]|" + _STRING + rb"|[\[\]{},]", re.DOTALL
)


def elements(text: bytes) -> Iterator[bytes]:
    """Yield the elements of a JSON list one by one, whether or not they are valid JSON.

    A strict parser stops at the first invalid one; this one only follows quotes and brackets.
    Raise UnexpectedContent if the list does not end, ends twice, or nests too deeply.
    """
    text = text.strip()
    depth, start = 1, 1
    for token in _TOKEN.finditer(text, 1):
        mark = token[0]
        if mark == b"," and depth == 1:
            yield text[start : token.start()]
            start = token.end()
        elif mark in (b"[", b"{"):
            depth = _deeper(depth)
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                yield from _last(text, start, token.start())
                return
    raise UnexpectedContent("the JSON list does not end", code="incomplete")


def _last(text: bytes, start: int, end: int) -> Iterator[bytes]:
    if end != len(text) - 1:
        raise UnexpectedContent("there is more text after the JSON list")
    # A trailing comma adds no record.
    if text[start:end].strip():
        yield text[start:end]


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise too_deep()
    return depth + 1


def too_deep() -> UnexpectedContent:
    """Return the error for a body that nests too deeply, by mistake or as an attack."""
    return UnexpectedContent(f"the JSON nests more than {MAX_DEPTH} deep", code="too_deep")
