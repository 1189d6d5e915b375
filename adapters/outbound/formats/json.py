"""JSON: reads a list or one object, as a whole or else element by element."""

import re
import types
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import msgspec

from adapters.outbound.formats.bounds import (
    MAX_RECORDS,
    check_rejections,
    rejection_of,
    too_many_records,
)
from adapters.outbound.formats.charsets import NOT_TEXT, json_to_utf8
from adapters.outbound.formats.json_text import (
    elements,
    found,
    rows,
    too_deep,
    value_at,
    value_or_none,
)
from adapters.outbound.formats.json_values import reader_of
from adapters.outbound.formats.packed import unpacked
from domain.dataset import R
from domain.errors import UnexpectedContent
from domain.payloads import Batch, Payload
from domain.pointers import parse_pointer
from domain.reports import Rejection
from domain.sources import E, JsonFormat, RecordMapping

#: The version of the reader; raise it when the same bytes give other records.
READING = "json-2"
#: A list of records, and nothing around it.
PLAIN = JsonFormat()

_PAGE = re.compile(rb"<(?:!doctype html|html|head|body|title|h1|p|!--)\b", re.IGNORECASE)
_PATH = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def read_json(
    payload: Payload, mapping: RecordMapping[E, R], format: JsonFormat = PLAIN
) -> Batch[R]:
    """Read a list of records, or a `single` one; an invalid element is a rejection.

    All elements are decoded at once or, if that fails, one by one, which separates the invalid ones
    and accepts other spellings of values. Raise UnexpectedContent if the text cannot be split into
    elements.
    """
    text = json_to_utf8(unpacked(payload.body), payload.content_type).strip()
    mapping = _within(text, payload, mapping)
    if format.single:
        return _read_each([("", _object(text))], payload, mapping)
    if format.columns is not None:
        return _read_each(rows(text, format.records, format.columns), payload, mapping)
    if not format.records.is_single:
        return _read_each(found(text, format.records), payload, mapping)
    text, pointer = value_at(text, format.records), str(format.records)
    if text.startswith(b"{") and format.is_lenient:
        return _read_each([(pointer, text)], payload, mapping)
    _check_list(text)
    if not mapping.needs_member:
        batch = _read_all(text, payload, mapping, f"{pointer}/{{}}".format)
        if batch is not None:
            return batch
    pointed = ((f"{pointer}/{index}", element) for index, element in enumerate(elements(text)))
    return _read_each(pointed, payload, mapping)


def read_ndjson(payload: Payload, mapping: RecordMapping[E, R]) -> Batch[R]:
    """Read a record from each line; an invalid line is a rejection."""
    text = json_to_utf8(unpacked(payload.body), payload.content_type)
    lines = [line for line in enumerate(text.splitlines(), 1) if line[1].strip()]
    if len(lines) > MAX_RECORDS:
        raise too_many_records()
    mapping = _within(b"{}", payload, mapping)
    return _read_each(((f"/line {number}", line) for number, line in lines), payload, mapping)


def _within(text: bytes, payload: Payload, mapping: RecordMapping[E, R]) -> RecordMapping[E, R]:
    """Return the mapping with the values of this body that its records need."""
    if mapping.context is None:
        return mapping
    values = [value_or_none(text, pointer) for pointer in mapping.surroundings]
    return replace(mapping, around=mapping.context(payload, values))


def _read_all(
    text: bytes, payload: Payload, mapping: RecordMapping[E, R], pointer: Callable[[int], str]
) -> Batch[R] | None:
    """Return all elements of a list, decoded at once; None if one of them is invalid."""
    try:
        if reader_of(mapping.element).is_ambiguous(text):
            return None
        found: list[E] = msgspec.json.decode(
            text, type=types.GenericAlias(list, (mapping.element,))
        )
        record, around = mapping.record, mapping.around or payload
        return Batch([record(each, around) for each in found], [], pointer)
    except RecursionError as error:
        raise too_deep() from error
    except (msgspec.DecodeError, ValueError):
        return None


def _read_each(
    pointed: Iterable[tuple[str, bytes]], payload: Payload, mapping: RecordMapping[E, R]
) -> Batch[R]:
    good: list[str] = []
    batch: Batch[R] = Batch([], [], good.__getitem__)
    reader = reader_of(mapping.element)
    around: Any = mapping.around or payload
    for pointer, element in pointed:
        check_rejections(batch)
        try:
            if mapping.needs_member:
                around.member = parse_pointer(pointer).steps[-1]
            batch.records.append(mapping.record(reader(element), around))
            good.append(pointer)
        except (msgspec.DecodeError, ValueError) as error:
            batch.rejections.append(_rejection(pointer, element, error))
    return batch


def _rejection(pointer: str, element: bytes, error: Exception) -> Rejection:
    if isinstance(error, UnicodeDecodeError):
        return rejection_of(pointer, NOT_TEXT, element.strip())
    reason = str(error)
    return rejection_of(f"{pointer}{_pointer(reason)}", _PATH.sub("", reason), element.strip())


def _pointer(reason: str) -> str:
    """Return the JSON pointer for the path in a message of msgspec, as far as it has names."""
    path = _PATH.search(reason)
    steps = _STEP.findall(path[1].partition("[...]")[0]) if path else ()
    return "".join(f"/{name or number}" for name, number in steps)


# ---------------------------------------------------------------- the text


def _object(text: bytes) -> bytes:
    """Return the text of one object; raise UnexpectedContent for anything else."""
    if not text.startswith(b"{"):
        kind = "a JSON list" if text.startswith(b"[") else _kind_of(text)
        raise UnexpectedContent(f"the body is {kind}, and a JSON object was expected")
    # It is parsed as the only element of a list, which must end after it.
    [element, *others] = elements(b"[" + text + b"]")
    if others:
        raise UnexpectedContent("there is more text after the JSON object")
    return element


def _kind_of(text: bytes) -> str:
    """Return the kind of a text that does not begin as JSON, whatever its label is."""
    if _PAGE.match(text):
        return "an HTML page"
    return "XML" if text.startswith(b"<?xml") else "not JSON"


def _check_list(text: bytes) -> None:
    """Raise UnexpectedContent unless the text is a list, and not too long."""
    if not text.startswith(b"["):
        kind = "a JSON object" if text.startswith(b"{") else _kind_of(text)
        raise UnexpectedContent(f"the body is {kind}, and a JSON list was expected")
    # Every record is an object, so records are counted only if there are many braces.
    if text.count(b"{") > MAX_RECORDS:
        for index, _ in enumerate(elements(text)):
            if index >= MAX_RECORDS:
                raise too_many_records()
