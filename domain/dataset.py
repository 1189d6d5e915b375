"""Datasets: one value describes one kind of stored record; everything else is derived from it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from domain.errors import Forbidden, InvalidDataset, LoginRequired
from domain.fields import Field, FieldType, fields_of
from domain.filters import Filter, Operator

R = TypeVar("R", bound=msgspec.Struct)
Key = tuple[Any, ...]

#: The time of the last change of a stored record, in every dataset: for reading only changes.
CHANGED_AT = Field("_changed_at", FieldType.TIME)

#: PostgreSQL limits the size of an index row; longer text in an indexed field is quarantined.
MAX_INDEXED_BYTES = 512

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


def is_name(text: str) -> bool:
    """Return whether a dataset or a field may have this name."""
    return bool(_NAME.fullmatch(text)) and "__" not in text


class Role(StrEnum):
    """The role of a caller; each role may do everything the ones before it may."""

    ANYONE = "anyone"
    USER = "user"
    ADMIN = "admin"

    def at_least(self, least: "Role") -> bool:
        """Return whether this role may do everything `least` may."""
        return _RANK[self] >= _RANK[least]

    def require(self, least: "Role") -> None:
        """Raise LoginRequired or Forbidden unless this role is at least `least`."""
        if self.at_least(least):
            return
        if self is Role.ANYONE:
            raise LoginRequired(f"a login as {least} is required")
        raise Forbidden(f"the role {least} is required")


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset(Generic[R]):
    """One kind of record: its type, its key, its indexes, and its access rules.

    `indexes` lists the filters and sorts that must be fast, each as the fields of one index; the
    key always has one. `visible` restricts the records a role sees; other roles see everything.
    `about` describes it to users. Of the records of one key the last one to arrive is stored or,
    with `keeps_first`, the first one.
    """

    name: str
    record: type[R]
    key: tuple[str, ...]
    default_sort: str = ""
    indexes: tuple[tuple[str, ...], ...] = ()
    read_by: Role = Role.ANYONE
    fetch_by: Role = Role.ANYONE
    visible: Mapping[Role, Filter] = field(default_factory=dict)
    about: str = ""
    keeps_first: bool = False

    def __deepcopy__(self, memo: object) -> "Dataset[R]":
        """Return the dataset itself: it is immutable, and compared by identity."""
        return self

    def __post_init__(self) -> None:
        names = [self.name, *(name for name in self.fields if name != CHANGED_AT.name)]
        for name in names:
            if not is_name(name):
                raise InvalidDataset(f"{name!r} is not a valid name: use a-z, 0-9 and single _")
        for name in (*self.key, *(name for index in self.indexes for name in index)):
            if name not in self.fields or not self.fields[name].sortable:
                raise InvalidDataset(f"{self.name} has no sortable field {name!r}")
        if not self.key or any(self.fields[name].nullable for name in self.key):
            raise InvalidDataset(f"{self.name} needs a key whose fields are never null")

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Return the record's fields by name, then `_changed_at`."""
        return {**fields_of(self.record), CHANGED_AT.name: CHANGED_AT}

    @cached_property
    def row(self) -> type[Any]:
        """Return the type of a stored row: the record's fields, then `_changed_at`."""
        own = [(f.name, f.type) for f in msgspec.structs.fields(self.record)]
        return msgspec.defstruct(
            f"Stored{self.record.__name__}", [*own, (CHANGED_AT.name, datetime)], frozen=True
        )

    @cached_property
    def fingerprint(self) -> str:
        """Return a text that changes when stored rows no longer fit: fields, key, which counts."""
        described = [(f.name, f.type, f.nullable) for f in self.fields.values()]
        return f"{described!r} by {self.key!r}{', first' if self.keeps_first else ''}"

    def check_sources(self, count: int) -> None:
        """Raise InvalidDataset if so many sources would overwrite each other's records."""
        if count > 1 and "source" not in self.key:
            raise InvalidDataset(
                f"{self.name} has {count} sources, and no `source` in its key: they would"
                " overwrite each other's records"
            )

    def key_of(self, record: Any) -> Key:
        """Return the values that identify a record."""
        return tuple(getattr(record, name) for name in self.key)

    def collisions(self, records: Sequence[R]) -> dict[int, int]:
        """Return the numbers of records that differ from an earlier one of the same key.

        Each comes with the number of the first record of its key.
        """
        keys = list(map(self._key_getter, records))
        if len({*keys}) == len(keys):
            return {}
        first: dict[Any, int] = {}
        found = ((number, first.setdefault(key, number)) for number, key in enumerate(keys))
        return {number: known for number, known in found if records[number] != records[known]}

    def supersedes(self, receipt: int, stored: int) -> bool:
        """Return whether a record that arrived with a receipt replaces a stored one of another."""
        return receipt <= stored if self.keeps_first else receipt >= stored

    def stored(self, record: R, changed_at: datetime) -> Any:
        """Return the stored row of this record."""
        return self.row(*map(_as_stored, msgspec.structs.astuple(record)), changed_at)

    def seen_by(self, role: Role) -> Filter:
        """Return the filter for the records that this role may see."""
        return self.visible.get(role, Filter())

    def defect(self, record: R) -> tuple[str, str] | None:
        """Return the first field that cannot be stored, with the reason, or None."""
        for name, described in self._own_fields:
            value = getattr(record, name)
            reason = described.defect(value)
            if reason is None and name in self._indexed_texts and _too_long(value):
                reason = f"is longer than {MAX_INDEXED_BYTES} bytes, and it is indexed"
            if reason is not None:
                return name, reason
        return None

    def sound(self, records: Sequence[R]) -> bool:
        """Return whether all records can be stored; much cheaper than `defect` for each."""
        columns = zip(*map(msgspec.structs.astuple, records), strict=True)
        return all(
            described.sound(column)
            and not (name in self._indexed_texts and any(map(_too_long, column)))
            for (name, described), column in zip(self._own_fields, columns, strict=False)
        )

    @cached_property
    def _key_getter(self) -> Callable[[R], Any]:
        return attrgetter(*self.key)

    @cached_property
    def _own_fields(self) -> list[tuple[str, Field]]:
        return [(name, f) for name, f in self.fields.items() if f is not CHANGED_AT]

    @cached_property
    def _indexed_texts(self) -> frozenset[str]:
        indexed = {*self.key, *(name for index in self.indexes for name in index)}
        return frozenset(name for name in indexed if self.fields[name].type is FieldType.TEXT)

    def answers_fast(self, filter: Filter, sort: Sequence[str]) -> bool:
        """Return whether an index answers the query: equalities first, then the sort order.

        A range on the first sort field keeps it fast; any other condition causes a scan.
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
        """Return the indexes of the table: each ends in the key, and `_changed_at` has one."""
        declared = (*self.indexes, (CHANGED_AT.name,))
        return tuple((*index, *_without(self.key, index)) for index in declared)


_RANGES = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE, Operator.BETWEEN})


def _leads(index: tuple[str, ...], equal: set[str], wanted: tuple[str, ...]) -> bool:
    if equal >= set(index):
        return True  # every index contains the key: one record at most
    leads = set(index[: len(equal)]) == equal
    return leads and index[len(equal) : len(equal) + len(wanted)] == wanted


def _without(names: Iterable[str], these: Iterable[str]) -> tuple[str, ...]:
    left_out = set(these)
    return tuple(name for name in names if name not in left_out)


def _as_stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    # SQLite does not store the sign of zero, so no store keeps it.
    return value + 0.0 if isinstance(value, float) else value


def _too_long(value: str | None) -> bool:
    return value is not None and len(value.encode(errors="replace")) > MAX_INDEXED_BYTES
