"""Layouts: who is served by a changed one, and what it leaves of the records."""

import msgspec
import pytest

from domain.dataset import Dataset
from domain.layouts import Layout


class Lake(msgspec.Struct, frozen=True):
    """A lake as it is at first."""

    id: int
    depth: int


class DeeperLake(Lake, frozen=True):
    """A lake with one more field."""

    name: str | None


class NamedLake(msgspec.Struct, frozen=True):
    """A lake whose depth is a text."""

    id: int
    depth: str


def layout(record: type[msgspec.Struct] = Lake, key: str = "id", index: str = "depth") -> Layout:
    """The layout of the lakes."""
    return Layout.of(Dataset(name="lakes", record=record, key=(key,), indexes=((index,),)))


FIRST, WIDER, RETYPED = layout(), layout(DeeperLake), layout(NamedLake)
REKEYED, REINDEXED = layout(key="depth", index="id"), layout(index="id")


def test_a_layout_names_columns_key_and_indexes() -> None:
    assert FIRST.columns == {"id": "integer", "depth": "integer", "_changed_at": "datetime"}
    assert FIRST.key == ("id",)
    assert FIRST.indexes == (("depth", "id"), ("_changed_at", "id"))


@pytest.mark.parametrize("stored", [FIRST, WIDER, REINDEXED])
def test_a_layout_with_all_columns_and_the_key_serves(stored: Layout) -> None:
    assert stored.serves(FIRST)


@pytest.mark.parametrize("stored", [RETYPED, REKEYED])
def test_a_layout_with_another_type_or_key_does_not_serve(stored: Layout) -> None:
    assert not stored.serves(FIRST)


def test_a_layout_without_a_column_does_not_serve() -> None:
    assert not FIRST.serves(WIDER)


def test_only_added_columns_make_a_layout_grow() -> None:
    assert FIRST.grows_into(WIDER)
    assert not any(FIRST.grows_into(other) for other in (RETYPED, REKEYED, REINDEXED))
    assert not WIDER.grows_into(FIRST)


def test_values_of_the_same_type_are_kept() -> None:
    assert FIRST.kept_by(WIDER) == ("id", "depth", "_changed_at")
    assert WIDER.kept_by(FIRST) == ("id", "depth", "_changed_at")
    assert FIRST.kept_by(RETYPED) == ("id", "_changed_at")


def test_nothing_is_kept_when_the_key_is_another_or_of_another_type() -> None:
    assert FIRST.kept_by(REKEYED) == ()
    assert REKEYED.kept_by(layout(NamedLake, key="depth", index="id")) == ()
