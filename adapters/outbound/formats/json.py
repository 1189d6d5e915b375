"""JSON as it arrives: cut into the elements of its list."""

import re
from collections.abc import Iterator

from domain.errors import UnexpectedContent

MAX_DEPTH = 64

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
    if start > 1 or text[start:end].strip():
        yield text[start:end]


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise too_deep()
    return depth + 1


def too_deep() -> UnexpectedContent:
    """The nesting of a body is an attack, or a mistake."""
    return UnexpectedContent(f"the JSON nests more than {MAX_DEPTH} deep", code="too_deep")
