"""Data points: decoding, validity and identity."""

import math
import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.builtin.data_points import DATA_POINTS, TOO_OLD, float32_of, id_of, point_of
from domain.dataset import Role
from domain.filters import Filter
from domain.paging import Sort

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
BYTES = [157, 42, 76, 190]
MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)

float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)
tags = st.lists(st.sampled_from(["a", "b", "system", "suspect", TOO_OLD]) | st.text(), max_size=3)


def encoded(number: float) -> list[int]:
    """Return the four bytes of a float32, little end first."""
    return [*struct.pack("<f", number)]


# ---------------------------------------------------------------- bytes


def test_four_bytes_are_a_number() -> None:
    assert float32_of(BYTES) == -0.19938130676746368


@given(float32s)
def test_whatever_can_be_encoded_is_decoded_again(number: float) -> None:
    decoded = float32_of(encoded(number))

    assert decoded == number
    assert math.copysign(1.0, decoded) == math.copysign(1.0, number)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "has 0 bytes, and 4 were expected"),
        (BYTES[:3], "has 3 bytes"),
        ([*BYTES, 0], "has 5 bytes"),
        ([256, 0, 0, 0], "not bytes"),
        ([0, 0, 0, -1], "not bytes"),
        ([10**30, 0, 0, 0], "not bytes"),
        (encoded(math.inf), "not a finite number"),
        (encoded(-math.inf), "not a finite number"),
        (encoded(math.nan), "not a finite number"),
    ],
)
def test_bytes_that_hold_no_number_are_refused(value: list[int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        float32_of(value)


# ---------------------------------------------------------------- trust


@pytest.mark.parametrize(
    ("given_tags", "valid"),
    [
        ([], True),
        (["noon", "System"], True),
        ([TOO_OLD], True),
        (["system"], False),
        (["noon", "suspect"], False),
    ],
)
def test_the_tags_of_a_fresh_point_decide_whether_it_is_valid(
    given_tags: list[str], valid: bool
) -> None:
    point = point_of(AT, BYTES, given_tags, NOW)

    assert (point.valid, point.tags) == (valid, tuple(given_tags))


def test_a_point_that_is_exactly_an_hour_old_is_valid() -> None:
    assert point_of(AT, BYTES, [], NOW + HOUR).valid

    late = point_of(AT, BYTES, ["noon"], NOW + HOUR + MICROSECOND)

    assert (late.valid, late.tags) == (False, ("noon", TOO_OLD))


@given(st.timedeltas(-timedelta(hours=23), timedelta(days=9)), tags)
def test_a_point_is_valid_for_an_hour_and_tagged_afterwards(
    age: timedelta, given_tags: list[str]
) -> None:
    point = point_of(AT, BYTES, given_tags, NOW + age)

    late = age > HOUR
    assert point.valid == (not late and not {"system", "suspect"} & {*given_tags})
    assert [*point.tags] == given_tags + [TOO_OLD] * (late and TOO_OLD not in given_tags)


@pytest.mark.parametrize("seconds", [0, AT * 1000, AT + 86_401])
def test_a_point_with_an_implausible_time_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="the time lies"):
        point_of(seconds, BYTES, [], NOW)


# ---------------------------------------------------------------- the same point


def test_the_id_is_computed_as_documented() -> None:
    # echo -n '[1713798477,[157,42,76,190],["noon"]]' | sha256sum
    assert id_of(1713798477, BYTES, ["noon"]) == "85eff97db994f1f3"


@given(float32s, tags, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_the_same_point_has_the_same_id_whenever_it_arrives(
    number: float, given_tags: list[str], later: timedelta
) -> None:
    first, again = [point_of(AT, encoded(number), given_tags, NOW + d) for d in (later * 0, later)]

    assert first.id == again.id
    assert len(first.id) == 16


@pytest.mark.parametrize(
    "other",
    [(AT + 1, BYTES, ["a", "b"]), (AT, [0, 0, 0, 0], ["a", "b"]), (AT, BYTES, ["b", "a"])],
)
def test_another_point_has_another_id(other: tuple[int, list[int], list[str]]) -> None:
    assert point_of(*other, NOW).id != point_of(AT, BYTES, ["a", "b"], NOW).id


def test_zeros_of_either_sign_are_two_points() -> None:
    assert id_of(AT, encoded(0.0), []) != id_of(AT, encoded(-0.0), [])


# ---------------------------------------------------------------- roles


def test_users_read_and_admins_fetch() -> None:
    assert (DATA_POINTS.read_by, DATA_POINTS.fetch_by) == (Role.USER, Role.ADMIN)


@pytest.mark.parametrize(("role", "seen"), [(Role.ANYONE, 1), (Role.USER, 1), (Role.ADMIN, 2)])
def test_only_admins_see_invalid_points(role: Role, seen: int) -> None:
    points = [point_of(AT, BYTES, [], NOW), point_of(AT, BYTES, ["suspect"], NOW)]

    assert sum(map(DATA_POINTS.seen_by(role).matches, points)) == seen


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("question", [[], [("time__gte", "2026-01-01T00:00:00Z")]])
def test_reads_by_time_use_an_index(role: Role, question: list[tuple[str, str]]) -> None:
    asked = Filter.parse(DATA_POINTS.fields, question) & DATA_POINTS.seen_by(role)

    for sort in (DATA_POINTS.default_sort, "time"):
        assert DATA_POINTS.answers_fast(asked, Sort.parse(DATA_POINTS, sort).names)
