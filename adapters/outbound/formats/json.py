"""JSON as it arrives: a list or one object, read as a whole or else element by element."""

import re
import types
from collections.abc import Iterable, Iterator

import msgspec

from adapters.outbound.formats.bounds import (
    MAX_RECORDS,
    check_rejections,
    rejection_of,
    too_many_records,
)
from adapters.outbound.formats.charsets import NOT_TEXT, json_to_utf8
from adapters.outbound.formats.json_values import ElementReader, reader_of
from adapters.outbound.formats.packed import unpacked
from domain.dataset import R
from domain.errors import UnexpectedContent
from domain.payloads import Batch, Payload
from domain.reports import Rejection
from domain.sources import E, RecordMapping

MAX_DEPTH = 64
#: Names what comes out of the same bytes: raise it with every change of that.
READING = "json-2"

_PAGE = re.compile(rb"<(?:!doctype html|html|head|body|title|h1|p|!--)\b", re.IGNORECASE)
_PLACE = re.compile(r" - at `\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


def read_json(payload: Payload, mapping: RecordMapping[E, R], single: bool = False) -> Batch[R]:
    """Read a list of records, or a `single` one; what cannot be read of it is a rejection.

    All elements are read at once, or one by one when that fails, to tell good from bad and to read
    what is spelled in some other way. UnexpectedContent when they cannot be told apart.
    """
    text = json_to_utf8(unpacked(payload.body), payload.content_type).strip()
    reader = reader_of(mapping.element)
    if single:
        return _read_each([("", _object(text))], payload, mapping, reader)
    _check_list(text)
    try:
        if not reader.doubts(text):
            found: list[E] = msgspec.json.decode(
                text, type=types.GenericAlias(list, (mapping.element,))
            )
            record = mapping.record
            return Batch([record(each, payload) for each in found], [], "/{}".format)
    except RecursionError as error:
        raise too_deep() from error
    except (msgspec.DecodeError, ValueError):
        pass
    places = ((f"/{index}", element) for index, element in enumerate(elements(text)))
    return _read_each(places, payload, mapping, reader)


def _read_each(
    places: Iterable[tuple[str, bytes]],
    payload: Payload,
    mapping: RecordMapping[E, R],
    reader: ElementReader[E],
) -> Batch[R]:
    good: list[str] = []
    batch: Batch[R] = Batch([], [], good.__getitem__)
    for place, element in places:
        check_rejections(batch)
        try:
            batch.records.append(mapping.record(reader(element), payload))
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


# ---------------------------------------------------------------- the elements of a list

_STRING = rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_FLAT = rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+"
#: A list or object without another inside is one token, which makes most records one token.
_TOKEN = re.compile(
    rb"\{" + _FLAT + rb"\}|\[" + _FLAT + rb"\]|" + _STRING + rb"|[\[\]{},]", re.DOTALL
)


def elements(text: bytes) -> Iterator[bytes]:
    """Yield the elements of a JSON list one by one, whether or not they are valid JSON.

    A strict parser gives up at the first bad one; this one only follows quotes and brackets.
    UnexpectedContent when the list does not end, ends twice, or nests too deeply.
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
    # What follows the last comma is a record only if there is something.
    if text[start:end].strip():
        yield text[start:end]


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise too_deep()
    return depth + 1


def too_deep() -> UnexpectedContent:
    """The nesting of a body is an attack, or a mistake."""
    return UnexpectedContent(f"the JSON nests more than {MAX_DEPTH} deep", code="too_deep")
