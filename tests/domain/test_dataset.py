"""Datasets: validity, access, and queries that an index answers."""

import copy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.builtin.posts import POSTS, Post
from domain.dataset import MAX_INDEXED_BYTES, Dataset, Role
from domain.errors import Forbidden, InvalidDataset, LoginRequired
from domain.fields import INT64_MAX, INT64_MIN, MAX_TEXT_BYTES
from domain.filters import Filter
from domain.paging import Sort
from tests.strategies import SAMPLES, sample, samples

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def declared(*fields: Any, **changed: Any) -> Dataset[Any]:
    """Return a dataset with these fields, `id` by default."""
    record = msgspec.defstruct("Thing", list(fields or [("id", int)]))
    return Dataset(**{"name": "things", "record": record, "key": ("id",), **changed})


# ---------------------------------------------------------------- what makes one sound


@pytest.mark.parametrize("name", ["a", "a1", "a_b", "a" * 31, "a_"])
def test_a_plain_name_is_a_name(name: str) -> None:
    assert declared(name=name).name == name


@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a__b", "a-b", "é", "a" * 32, "a\n"])
def test_a_name_that_cannot_be_a_table_is_refused(name: str) -> None:
    with pytest.raises(InvalidDataset, match="is not a valid name"):
        declared(name=name)
    if name.isidentifier():
        with pytest.raises(InvalidDataset, match="is not a valid name"):
            declared(("id", int), (name, str))


@pytest.mark.parametrize(
    "changed",
    [
        {"key": ("nothing",)},
        {"key": ("tags",)},
        {"indexes": (("nothing",),)},
        {"indexes": (("id", "tags"),)},
    ],
)
def test_keys_and_indexes_are_of_sortable_fields(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidDataset, match="no sortable field"):
        declared(("id", int), ("tags", list[str]), **changed)


@pytest.mark.parametrize("key", [(), ("name",), ("id", "name")])
def test_a_key_is_never_null(key: tuple[str, ...]) -> None:
    with pytest.raises(InvalidDataset, match="needs a key"):
        declared(("id", int), ("name", str | None), key=key)


def test_a_dataset_can_be_a_key_of_a_cache() -> None:
    assert len({POSTS, POSTS, SAMPLES}) == 2


def test_a_deep_copy_of_a_dataset_is_the_dataset() -> None:
    assert copy.deepcopy(SAMPLES) is SAMPLES


def test_a_stored_row_has_its_times_in_utc() -> None:
    noon_in_paris = NOON.astimezone(timezone(timedelta(hours=1)))

    row = SAMPLES.stored(sample(1, seen_at=noon_in_paris), NOON)

    assert (row.seen_at, row.seen_at.tzinfo, row.closed_at) == (NOON, UTC, None)


def test_a_stored_row_is_its_record_and_the_time_of_its_change() -> None:
    row = POSTS.stored(Post(1, 2, "title", "body"), NOON)

    assert msgspec.structs.asdict(row) == {
        "id": 1,
        "user_id": 2,
        "title": "title",
        "body": "body",
        "_changed_at": NOON,
    }


def test_a_key_is_the_values_of_its_fields() -> None:
    assert SAMPLES.key_of(sample(7, source="b")) == ("b", 7)


def test_the_fingerprint_changes_with_the_fields_and_the_key() -> None:
    fingerprints = {
        dataset.fingerprint
        for dataset in (
            declared(),
            declared(("id", int), ("x", int)),
            declared(("id", int), ("x", int | None)),
            declared(("id", int), ("x", str)),
            declared(("id", int), ("x", int), key=("x",)),
        )
    }

    assert len(fingerprints) == 5
    assert declared().fingerprint == declared(read_by=Role.ADMIN, indexes=(("id",),)).fingerprint


# ---------------------------------------------------------------- access do what


def test_each_role_may_do_everything_the_ones_before_it_may() -> None:
    allowed = [[role.at_least(least) for least in Role] for role in Role]

    assert allowed == [[True, False, False], [True, True, False], [True, True, True]]


def test_an_anonymous_caller_is_asked_to_log_in() -> None:
    Role.ANYONE.require(Role.ANYONE)
    with pytest.raises(LoginRequired, match="user"):
        Role.ANYONE.require(Role.USER)


def test_a_known_caller_gets_the_missing_role() -> None:
    Role.ADMIN.require(Role.USER)
    with pytest.raises(Forbidden, match="admin"):
        Role.USER.require(Role.ADMIN)


def test_a_role_sees_what_the_dataset_declares_or_everything() -> None:
    own = Filter.parse(POSTS.fields, [("user_id", "1")])
    dataset = declared(visible={Role.ANYONE: own})

    assert dataset.seen_by(Role.ANYONE) == own
    assert dataset.seen_by(Role.ADMIN) == Filter()


# ---------------------------------------------------------------- what may be kept

BAD: list[tuple[dict[str, Any], str]] = [
    ({"number": INT64_MAX + 1}, "number"),
    ({"count": INT64_MAX + 1}, "count"),
    ({"number": INT64_MIN - 1}, "number"),
    ({"count": INT64_MIN - 1}, "count"),
    ({"price": float("nan")}, "price"),
    ({"rating": float("inf")}, "rating"),
    ({"seen_at": datetime(2026, 1, 1)}, "seen_at"),  # noqa: DTZ001 - that is what is bad
    ({"title": "\0"}, "title"),
    ({"title": None}, "title"),
    ({"number": None}, "number"),
    ({"ready": None}, "ready"),
    ({"note": "\ud800"}, "note"),
    ({"tags": ["a", "\0"]}, "tags"),
    ({"title": "é" * (MAX_TEXT_BYTES // 2) + "a"}, "title"),
    ({"title": "a" * (MAX_TEXT_BYTES + 1)}, "title"),
    ({"tags": ["a" * (MAX_TEXT_BYTES // 2)] * 3}, "tags"),
    ({"source": "é" * 257}, "source"),
    ({"note": "n" * 513}, "note"),
]


@pytest.mark.parametrize(("changed", "field"), BAD, ids=lambda value: str(value)[:30])
def test_a_defect_is_named_with_its_field(changed: dict[str, Any], field: str) -> None:
    defect = SAMPLES.defect(msgspec.structs.replace(sample(), **changed))

    assert defect is not None
    assert defect[0] == field


def test_indexed_text_may_be_as_long_as_an_index_holds() -> None:
    longest = "é" * (MAX_INDEXED_BYTES // 2)

    assert SAMPLES.defect(sample(1, source=longest, note=longest)) is None
    assert SAMPLES.sound([sample(1, source=longest, note=longest)])
    assert SAMPLES.defect(sample(1, title=longest * 99)) is None


def test_a_text_may_have_a_mebibyte() -> None:
    longest = sample(1, title="é" * (MAX_TEXT_BYTES // 2), tags=["a" * (MAX_TEXT_BYTES // 2)] * 2)

    assert SAMPLES.defect(longest) is None
    assert SAMPLES.sound([longest, longest])


bad_samples = st.builds(
    lambda plain, bad: msgspec.structs.replace(plain, **bad[0]), samples(), st.sampled_from(BAD)
)


@given(st.lists(samples() | bad_samples, max_size=6))
def test_records_are_sound_together_when_none_has_a_defect(records: list[Any]) -> None:
    assert SAMPLES.sound(records) is all(SAMPLES.defect(record) is None for record in records)


def test_no_records_are_sound() -> None:
    assert SAMPLES.sound([])


@pytest.mark.parametrize("beyond", [INT64_MIN - 1, INT64_MAX + 1])
def test_one_number_that_is_too_small_or_too_large_among_others_is_not_sound(beyond: int) -> None:
    assert SAMPLES.sound([sample(1), sample(2), sample(3)])
    assert not SAMPLES.sound([sample(1), sample(beyond), sample(3)])


def test_half_a_character_in_each_of_two_texts_is_not_sound() -> None:
    halves = [sample(1, title="\ud83d"), sample(2, title="\ude00")]

    assert not SAMPLES.sound(halves)


# ---------------------------------------------------------------- indexes


def test_a_whole_index_ends_in_the_key() -> None:
    assert SAMPLES.whole_indexes == (
        ("count", "source", "number"),
        ("rating", "source", "number"),
        ("mood", "seen_at", "source", "number"),
        ("note", "price", "source", "number"),
        ("_changed_at", "source", "number"),
    )


@pytest.mark.parametrize(
    ("filter", "sort", "fast"),
    [
        # no filter
        ("", "", True),
        ("", "source", True),
        ("", "number", False),
        ("", "count", True),
        ("", "count,source", True),
        ("", "count,price", False),
        ("", "title", False),
        ("", "_changed_at", True),
        ("", "mood", False),  # the index goes on with seen_at, the sort with the key
        ("", "mood,seen_at", True),
        # the key
        ("source=a", "", True),
        ("number=1", "", False),
        ("source=a&number=1", "", True),
        ("source=a&number=1", "title", True),
        ("source=a&number=1&title=x", "", True),
        ("source=a", "number", True),
        ("number__gt=1", "number", False),
        ("source__gt=a", "source", True),
        ("source=a&number__gt=1", "number", True),
        ("source=a&number__lt=1", "", False),  # a range on another field than the first sorted by
        # other indexes
        ("count=1", "", True),
        ("count=1", "source", True),
        ("count=1&source=a", "number", True),
        ("count=1", "title", False),
        ("count=1&title=x", "", False),
        ("count__gte=1", "count", True),
        ("count__between=1,2", "-count", True),
        ("count__in=1,2", "count", False),
        ("count__isnull=true", "count", False),
        ("count=1&count__gt=0", "count", False),
        ("mood=calm", "seen_at", True),
        ("mood=calm", "seen_at,source", True),
        ("mood=calm&seen_at__gt=2026-01-01T00:00:00Z", "seen_at", True),
        ("seen_at=2026-01-01T00:00:00Z", "", False),
        ("title=x", "", False),
        ("title__contains=x", "title", False),
        ("_changed_at__gt=2026-01-01T00:00:00Z", "_changed_at", True),
    ],
)
def test_a_query_is_fast_if_an_index_answers_it(filter: str, sort: str, fast: bool) -> None:
    pairs = [tuple(part.split("=", 1)) for part in filter.split("&") if part]
    asked = Filter.parse(SAMPLES.fields, [(name, text) for name, text in pairs])

    assert SAMPLES.answers_fast(asked, Sort.parse(SAMPLES, sort).names) is fast


# ---------------------------------------------------------------- keys that come again


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers(0, 1))))
def test_a_record_collides_with_the_first_of_its_key_when_it_differs(
    values: list[tuple[int, str, int]],
) -> None:
    dataset = declared(("id", int), ("kind", str), ("count", int), key=("id", "kind"))
    records = [dataset.record(*one) for one in values]

    found = dataset.collisions(records)

    for number, record in enumerate(records):
        first = next(n for n, one in enumerate(values) if one[:2] == values[number][:2])
        differs = record != records[first]
        assert found.get(number) == (first if differs else None)


@pytest.mark.parametrize(("keeps_first", "replaced"), [(False, [1, 2]), (True, [2, 3])])
def test_the_last_arrival_counts_or_the_first(keeps_first: bool, replaced: list[int]) -> None:
    dataset = declared(keeps_first=keeps_first)

    assert [stored for stored in (1, 2, 3) if dataset.supersedes(2, stored)] == replaced
    assert (dataset.fingerprint == declared().fingerprint) is not keeps_first
