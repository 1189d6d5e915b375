"""A dataset: a kind of record we keep, described by one value; the rest follows from it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from domain.errors import Forbidden, InvalidDataset, LoginRequired
from domain.fields import Field, FieldType, fields_of
from domain.filters import Filter, Operator

R = TypeVar("R", bound=msgspec.Struct)
Key = tuple[Any, ...]

#: When the stored record last changed: every dataset has it, for reading only what is new.
CHANGED_AT = Field("_changed_at", FieldType.TIME)

#: An index row has a limit on PostgreSQL; longer text in an indexed field is quarantined.
MAX_INDEXED_BYTES = 512

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


class Role(StrEnum):
    """Who is asking; each role may do what the ones before it may."""

    ANYONE = "anyone"
    USER = "user"
    ADMIN = "admin"

    def at_least(self, least: "Role") -> bool:
        """Whether this role may do what `least` may."""
        return _RANK[self] >= _RANK[least]

    def require(self, least: "Role") -> None:
        """Let this role pass when it is at least `least`; LoginRequired or Forbidden otherwise."""
        if self.at_least(least):
            return
        if self is Role.ANYONE:
            raise LoginRequired(f"this needs a logged-in {least}")
        raise Forbidden(f"this needs the role {least}")


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset(Generic[R]):
    """One kind of record: its type, its key, and who may see what.

    `indexes` names the filters and sorts meant to be fast, each as the fields of one index; the
    key has one anyway. `visible` narrows what a role sees; a role not named sees everything.
    """

    name: str
    record: type[R]
    key: tuple[str, ...]
    default_sort: str = ""
    indexes: tuple[tuple[str, ...], ...] = ()
    read_by: Role = Role.ANYONE
    fetch_by: Role = Role.ANYONE
    visible: Mapping[Role, Filter] = field(default_factory=dict)

    def __deepcopy__(self, memo: object) -> "Dataset[R]":
        """A dataset is one and the same wherever it is handed."""
        return self

    def __post_init__(self) -> None:
        names = [self.name, *(name for name in self.fields if name != CHANGED_AT.name)]
        for name in names:
            if not _NAME.fullmatch(name) or "__" in name:
                raise InvalidDataset(f"{name!r} is not a name: use a-z, 0-9 and single _")
        for name in (*self.key, *(name for index in self.indexes for name in index)):
            if name not in self.fields or not self.fields[name].sortable:
                raise InvalidDataset(f"{self.name} has no sortable field {name!r}")
        if not self.key or any(self.fields[name].nullable for name in self.key):
            raise InvalidDataset(f"{self.name} needs a key whose fields are never null")

    @cached_property
    def fields(self) -> dict[str, Field]:
        """The record's fields by name, and `_changed_at` after them."""
        return {**fields_of(self.record), CHANGED_AT.name: CHANGED_AT}

    @cached_property
    def row(self) -> type[Any]:
        """The record as stored, built by position: its own fields, then `_changed_at`."""
        own = [(f.name, f.type) for f in msgspec.structs.fields(self.record)]
        return msgspec.defstruct(
            f"Stored{self.record.__name__}", [*own, (CHANGED_AT.name, datetime)], frozen=True
        )

    @cached_property
    def fingerprint(self) -> str:
        """Changes when the fields or the key change, so that stored rows no longer fit."""
        described = [(f.name, f.type, f.nullable) for f in self.fields.values()]
        return f"{described!r} by {self.key!r}"

    def check_sources(self, count: int) -> None:
        """Let so many sources feed the dataset; InvalidDataset when they would collide."""
        if count > 1 and "source" not in self.key:
            raise InvalidDataset(
                f"{self.name} has {count} sources, and no `source` in its key: they would"
                " overwrite each other's records"
            )

    def key_of(self, record: Any) -> Key:
        """The values that identify a record."""
        return tuple(getattr(record, name) for name in self.key)

    def stored(self, record: R, changed_at: datetime) -> Any:
        """The row that keeps this record."""
        return self.row(*map(_as_stored, msgspec.structs.astuple(record)), changed_at)

    def seen_by(self, role: Role) -> Filter:
        """What this role sees of the dataset."""
        return self.visible.get(role, Filter())

    def defect(self, record: R) -> tuple[str, str] | None:
        """The first field that cannot be kept, with the reason, or None for a sound record."""
        for name, described in self._own_fields:
            value = getattr(record, name)
            reason = described.defect(value)
            if reason is None and name in self._indexed_texts and _too_long(value):
                reason = f"is longer than {MAX_INDEXED_BYTES} bytes, and it is indexed"
            if reason is not None:
                return name, reason
        return None

    def sound(self, records: Sequence[R]) -> bool:
        """Whether every record can be kept; far cheaper than asking each for its defect."""
        columns = zip(*map(msgspec.structs.astuple, records), strict=True)
        return all(
            _sound_column(described, column, name in self._indexed_texts)
            for (name, described), column in zip(self._own_fields, columns, strict=False)
        )

    @cached_property
    def _own_fields(self) -> list[tuple[str, Field]]:
        return [(name, f) for name, f in self.fields.items() if f is not CHANGED_AT]

    @cached_property
    def _indexed_texts(self) -> frozenset[str]:
        indexed = {*self.key, *(name for index in self.indexes for name in index)}
        return frozenset(name for name in indexed if self.fields[name].type is FieldType.TEXT)

    def answers_fast(self, filter: Filter, sort: Sequence[str]) -> bool:
        """Whether an index leads straight to the answer: equalities first, then the sort order.

        A range on the first sort field keeps it fast; any other condition means a scan.
        """
        equal = {c.field.name for c in filter.conditions if c.operator is Operator.EQ}
        other = {c.field.name for c in filter.conditions if c.operator is not Operator.EQ}
        ranged = all(c.operator in _RANGES for c in filter.conditions if c.field.name in other)
        if other - {*sort[:1]} or not ranged:
            return False
        wanted = _without(sort, equal)
        return any(_leads(index, equal, wanted) for index in (self.key, *self.whole_indexes))

    @cached_property
    def whole_indexes(self) -> tuple[tuple[str, ...], ...]:
        """The indexes as tables have them: each ends in the key, and `_changed_at` has one."""
        declared = (*self.indexes, (CHANGED_AT.name,))
        return tuple((*index, *_without(self.key, index)) for index in declared)


_RANGES = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE, Operator.BETWEEN})


def _leads(index: tuple[str, ...], equal: set[str], wanted: tuple[str, ...]) -> bool:
    if equal >= set(index):
        return True  # every index holds the key: one record at most
    leads = set(index[: len(equal)]) == equal
    return leads and index[len(equal) : len(equal) + len(wanted)] == wanted


def _without(names: Iterable[str], these: Iterable[str]) -> tuple[str, ...]:
    left_out = set(these)
    return tuple(name for name in names if name not in left_out)


def _as_stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    # Zero has no sign in SQLite, so it has none anywhere.
    return value + 0.0 if isinstance(value, float) else value


def _too_long(value: str | None) -> bool:
    return value is not None and len(value.encode(errors="replace")) > MAX_INDEXED_BYTES


def _sound_column(described: Field, column: Sequence[Any], indexed_text: bool) -> bool:
    present = column if not described.nullable else [v for v in column if v is not None]
    if described.type is FieldType.TEXT:
        if None in present or (indexed_text and any(map(_too_long, present))):
            return False
        return described.defect("".join(present)) is None
    if described.type is FieldType.INTEGER and present and None not in present:
        present = [min(present), max(present)]
    return all(described.defect(value) is None for value in present)
