"""JSON Pointers (RFC 6901), with one extension: the step `*` is every element or member."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

#: The step `*`; a member that is called so is written `~2`.
EVERY: Final = None
#: What a pointer finds where there is nothing.
MISSING: Final = msgspec.UNSET

_ESCAPED = (("~2", "*"), ("~1", "/"), ("~0", "~"))


class Pointer(msgspec.Struct, frozen=True):
    """The way from a JSON value to one inside it, or to several by the step `*`."""

    steps: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        return "".join(f"/{_escape(step)}" for step in self.steps)

    @property
    def is_single(self) -> bool:
        """Return whether it leads to one value at most."""
        return EVERY not in self.steps

    def find(self, value: Any) -> Any:
        """Return the value it leads to, or MISSING; it must be single."""
        for step in self.steps:
            value = _stepped(value, step or "")
            if value is MISSING:
                return MISSING
        return value

    def find_all(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield all values it leads to, each with its own pointer."""
        yield from _walk("", value, self.steps)


def parse_pointer(text: str) -> Pointer:
    """Read a pointer such as `/data/0/id`; a ValueError says what was expected."""
    if not text:
        return Pointer()
    if not text.startswith("/"):
        raise ValueError(f"expected a JSON Pointer, such as /{text}")
    steps = text[1:].split("/")
    if steps.count("*") > 1:
        raise ValueError("expected at most one step *")
    return Pointer(tuple(EVERY if step == "*" else _unescape(step) for step in steps))


def _escape(step: str | None) -> str:
    if step is EVERY:
        return "*"
    text = step.replace("~", "~0").replace("/", "~1")
    return "~2" if text == "*" else text


def _unescape(step: str) -> str:
    for escaped, plain in _ESCAPED[:2]:
        step = step.replace(escaped, plain)
    return step.replace(*_ESCAPED[2])


def _stepped(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, list):
        return _element(value, step)
    return MISSING


def _element(value: list[Any], step: str) -> Any:
    # Leading zeros and signs are no positions (RFC 6901), and a long number is none of a list.
    if not step.isascii() or not step.isdigit() or step != str(int(step[:9])):
        return MISSING
    return value[int(step)] if int(step) < len(value) else MISSING


def _walk(place: str, value: Any, steps: tuple[str | None, ...]) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield place, value
        return
    step, *rest = steps
    found: list[tuple[str, Any]]
    if step is not EVERY:
        there = _stepped(value, step)
        found = [] if there is MISSING else [(step, there)]
    elif isinstance(value, dict):
        found = list(value.items())
    else:
        found = [(str(number), each) for number, each in enumerate(value or ())]
    for name, each in found:
        yield from _walk(f"{place}/{_escape(name)}", each, tuple(rest))
