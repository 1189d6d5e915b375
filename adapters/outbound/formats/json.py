"""JSON as it arrives: a list or one object, read as a whole or else element by element."""

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

#: Names what comes out of the same bytes: raise it with every change of that.
READING = "json-2"
#: A list of records, and nothing around it.
PLAIN = JsonFormat()

_PAGE = re.compile(rb"<(?:!doctype html|html|head|body|title|h1|p|!--)\b", re.IGNORECASE)
_PLACE = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def read_json(
    payload: Payload, mapping: RecordMapping[E, R], format: JsonFormat = PLAIN
) -> Batch[R]:
    """Read a list of records, or a `single` one; what cannot be read of it is a rejection.

    All elements are read at once, or one by one when that fails, to tell good from bad and to read
    what is spelled in some other way. UnexpectedContent when they cannot be told apart.
    """
    text = json_to_utf8(unpacked(payload.body), payload.content_type).strip()
    mapping = _within(text, payload, mapping)
    if format.single:
        return _read_each([("", _object(text))], payload, mapping)
    if format.columns is not None:
        return _read_each(rows(text, format.records, format.columns), payload, mapping)
    if not format.records.is_single:
        return _read_each(found(text, format.records), payload, mapping)
    text, place = value_at(text, format.records), str(format.records)
    if text.startswith(b"{") and format.is_lenient:
        return _read_each([(place, text)], payload, mapping)
    _check_list(text)
    if not mapping.needs_member:
        batch = _read_all(text, payload, mapping, f"{place}/{{}}".format)
        if batch is not None:
            return batch
    places = ((f"{place}/{index}", element) for index, element in enumerate(elements(text)))
    return _read_each(places, payload, mapping)


def read_ndjson(payload: Payload, mapping: RecordMapping[E, R]) -> Batch[R]:
    """Read a record from each line; a line that is none is a rejection."""
    text = json_to_utf8(unpacked(payload.body), payload.content_type)
    lines = [line for line in enumerate(text.splitlines(), 1) if line[1].strip()]
    if len(lines) > MAX_RECORDS:
        raise too_many_records()
    mapping = _within(b"{}", payload, mapping)
    return _read_each(((f"/line {number}", line) for number, line in lines), payload, mapping)


def _within(text: bytes, payload: Payload, mapping: RecordMapping[E, R]) -> RecordMapping[E, R]:
    """Return the mapping of the records of this body, which has the values it wants of it."""
    if mapping.context is None:
        return mapping
    values = [value_or_none(text, pointer) for pointer in mapping.surroundings]
    return replace(mapping, around=mapping.context(payload, values))


def _read_all(
    text: bytes, payload: Payload, mapping: RecordMapping[E, R], pointer: Callable[[int], str]
) -> Batch[R] | None:
    """Return all elements of a list at once; None when any of them cannot be read so."""
    try:
        if reader_of(mapping.element).doubts(text):
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
    places: Iterable[tuple[str, bytes]], payload: Payload, mapping: RecordMapping[E, R]
) -> Batch[R]:
    good: list[str] = []
    batch: Batch[R] = Batch([], [], good.__getitem__)
    reader = reader_of(mapping.element)
    around: Any = mapping.around or payload
    for place, element in places:
        check_rejections(batch)
        try:
            if mapping.needs_member:
                around.member = parse_pointer(place).steps[-1]
            batch.records.append(mapping.record(reader(element), around))
            good.append(place)
        except (msgspec.DecodeError, ValueError) as error:
            batch.rejections.append(_rejection(place, element, error))
    return batch


def _rejection(place: str, element: bytes, error: Exception) -> Rejection:
    if isinstance(error, UnicodeDecodeError):
        return rejection_of(place, NOT_TEXT, element.strip())
    reason = str(error)
    return rejection_of(f"{place}{_pointer(reason)}", _PLACE.sub("", reason), element.strip())


def _pointer(reason: str) -> str:
    """Return the JSON pointer for the path in a reason of msgspec's, as far as it has names."""
    path = _PLACE.search(reason)
    steps = _STEP.findall(path[1].partition("[...]")[0]) if path else ()
    return "".join(f"/{name or number}" for name, number in steps)


# ---------------------------------------------------------------- the text


def _object(text: bytes) -> bytes:
    """Return the text, once it looks like one object and nothing else."""
    if not text.startswith(b"{"):
        kind = "a JSON list" if text.startswith(b"[") else _kind_of(text)
        raise UnexpectedContent(f"the body is {kind}, and a JSON object was expected")
    # As the only element of a list it is cut as any element is, and must end as one.
    [element, *others] = elements(b"[" + text + b"]")
    if others:
        raise UnexpectedContent("there is more text after the JSON object")
    return element


def _kind_of(text: bytes) -> str:
    """Return what a text is that does not begin as JSON; its label does not matter."""
    if _PAGE.match(text):
        return "an HTML page"
    return "XML" if text.startswith(b"<?xml") else "no JSON"


def _check_list(text: bytes) -> None:
    """Raise UnexpectedContent unless the text looks like a list of a bearable length."""
    if not text.startswith(b"["):
        kind = "a JSON object" if text.startswith(b"{") else _kind_of(text)
        raise UnexpectedContent(f"the body is {kind}, and a JSON list was expected")
    # Every record is an object, so the records are only counted when there may be too many.
    if text.count(b"{") > MAX_RECORDS:
        for index, _ in enumerate(elements(text)):
            if index >= MAX_RECORDS:
                raise too_many_records()
