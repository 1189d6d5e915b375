"""JSON Pointers (RFC 6901), with one extension: the step `*` means every element or member."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

#: The step `*`; a member with this name is written `~2`.
EVERY: Final = None
#: The result of a pointer without a value.
MISSING: Final = msgspec.UNSET

_ESCAPED = (("~2", "*"), ("~1", "/"), ("~0", "~"))


class Pointer(msgspec.Struct, frozen=True):
    """A path from a JSON value to one inside it, or to several with the step `*`."""

    steps: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        return "".join(f"/{_escape(step)}" for step in self.steps)

    @property
    def is_single(self) -> bool:
        """Return whether it points to one value at most."""
        return EVERY not in self.steps

    def find(self, value: Any) -> Any:
        """Return the value it points to, or MISSING; it must be single."""
        for step in self.steps:
            value = _stepped(value, step or "")
            if value is MISSING:
                return MISSING
        return value

    def find_all(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield all values it points to, each with its own pointer."""
        yield from _walk("", value, self.steps)


def parse_pointer(text: str) -> Pointer:
    """Parse a pointer such as `/data/0/id`; raise ValueError if it is invalid."""
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
    # Leading zeros and signs are invalid (RFC 6901), and so are numbers beyond any list.
    if not step.isascii() or not step.isdigit() or step != str(int(step[:9])):
        return MISSING
    return value[int(step)] if int(step) < len(value) else MISSING


def _walk(pointer: str, value: Any, steps: tuple[str | None, ...]) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield pointer, value
        return
    step, *rest = steps
    found: list[tuple[str, Any]]
    if step is not EVERY:
        inner = _stepped(value, step)
        found = [] if inner is MISSING else [(step, inner)]
    elif isinstance(value, dict):
        found = list(value.items())
    else:
        found = [(str(number), each) for number, each in enumerate(value or ())]
    for name, each in found:
        yield from _walk(f"{pointer}/{_escape(name)}", each, tuple(rest))
