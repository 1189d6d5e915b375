"""JSON values at pointers, decoded in one pass by types that are generated for them."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from domain.pointers import MISSING, Pointer


class Leaf(msgspec.Struct, frozen=True):
    """One value to decode: its pointer, its type, and whether it is required."""

    pointer: Pointer
    type: Any
    required: bool = False


class _Path(msgspec.Struct, frozen=True):
    """The path to a leaf in the decoded struct: an attribute, and a pointer from there."""

    attribute: str
    rest: Pointer = Pointer()
    is_loose: bool = False


class Nested:
    """A type that decodes the leaves of an object and skips everything else.

    Leaves inside others, or inside lists, are decoded as plain values and then converted.
    """

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self._leaves = leaves
        self._paths: dict[int, _Path] = {}
        numbered = [(number, leaf, leaf.pointer.steps) for number, leaf in enumerate(leaves)]
        self.type: type[msgspec.Struct] = self._struct(numbered, "")
        paths = [self._paths[number] for number in range(len(leaves))]
        self._tight: Callable[[Any], Any] | None = None
        if len(leaves) > 1 and not any(path.is_loose for path in paths):
            self._tight = attrgetter(*(path.attribute for path in paths))

    def values(self, decoded: Any) -> Sequence[Any]:
        """Return the values of the leaves, None for missing ones; raise ValueError for bad ones."""
        if self._tight is not None:
            try:
                values: tuple[Any, ...] = self._tight(decoded)
            except AttributeError:
                pass  # a nested object is null
            else:
                return values
        return [self._value(decoded, number) for number in range(len(self._leaves))]

    def _value(self, decoded: Any, number: int) -> Any:
        leaf, path = self._leaves[number], self._paths[number]
        value = decoded
        for name in path.attribute.split("."):
            value = getattr(value, name, None)
        if path.rest.steps or path.is_loose:
            value = _converted(leaf, path.rest.find(value))
        if value is None and leaf.required:
            raise ValueError(f"{leaf.pointer} is missing")
        return value

    def _struct(
        self, leaves: Sequence[tuple[int, Leaf, tuple[str | None, ...]]], path: str
    ) -> type[msgspec.Struct]:
        groups: dict[str, list[tuple[int, Leaf, tuple[str | None, ...]]]] = {}
        for number, leaf, steps in leaves:
            groups.setdefault(steps[0] or "", []).append((number, leaf, steps[1:]))
        fields, names = [], {}
        for count, (step, group) in enumerate(groups.items()):
            name = f"f{count}"
            names[name] = step
            kind, required = self._field(group, path + name)
            fields.append((name, kind) if required else (name, kind, None))
        return msgspec.defstruct("Nested", fields, rename=names, kw_only=True, gc=False)

    def _field(
        self, group: Sequence[tuple[int, Leaf, tuple[str | None, ...]]], path: str
    ) -> tuple[Any, bool]:
        required = any(leaf.required for _, leaf, _ in group)
        [(number, leaf, steps), *others] = group
        if not others and not steps:
            self._paths[number] = _Path(path)
            return leaf.type if required else leaf.type | None, required
        if any(not rest or _may_be_position(rest[0]) for _, _, rest in group):
            for each, _, rest in group:
                self._paths[each] = _Path(path, Pointer(rest), True)
            return Any, required
        nested = self._struct(group, f"{path}.")
        return nested if required else nested | None, required


def _converted(leaf: Leaf, value: Any) -> Any:
    if value is MISSING or value is None:
        return None
    try:
        return msgspec.convert(value, leaf.type)
    except msgspec.ValidationError as error:
        raise ValueError(f"{leaf.pointer}: {error}") from error


def _may_be_position(step: str | None) -> bool:
    return step is not None and step.isdigit()
