"""Values as people and programs spell them, read as what they mean."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.fields import INT64_MAX, INT64_MIN, Field, FieldType
from domain.value_parsing import read_boolean, read_integer, read_number, reader_of

whole = st.integers(INT64_MIN, INT64_MAX)


@given(whole, st.sampled_from(["{}", "{}.", "{}.0", "{}.000", "{}e0", "{}E+0", "{}0e-1"]))
def test_a_whole_number_is_read_exactly_however_it_is_spelled(number: int, spelling: str) -> None:
    text = spelling.format(number)

    assert read_integer(text) == number
    assert read_integer(text if number < 0 else f"+{text}") == number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e0", 2),
        ("1.5e1", 15),
        ("-0.0", 0),
        ("0e9999", 0),
        (".5e1", 5),
        ("9007199254740993.0", 2**53 + 1),
        ("9223372036854775807.0", INT64_MAX),
        ("0000000000000000000000001", 1),
    ],
)
def test_a_number_that_is_whole_is_a_whole_number(text: str, value: int) -> None:
    assert read_integer(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "1.5", "1e-1", "1e-9999", "1e9999", "9223372036854775808.0", "9223372036854775807.5",
        "-9223372036854775809", "1,000", "1_000", "1 000", "٣", "0x1", "", ".", "+", "e1", "NaN",
        "1" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_whole_number_of_64_bits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a whole number of 64 bits"):
        read_integer(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_number_with_digits_behind_its_point_is_whole_only_if_they_are_zeros(
    number: Decimal,
) -> None:
    text = f"{number:f}"
    try:
        read: Any = read_integer(text)
    except ValueError:
        read = None

    fits = number == int(number) and INT64_MIN <= number <= INT64_MAX
    assert read == (int(number) if fits else None)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_python_writes_it_reads_back(number: float) -> None:
    assert read_number(repr(number)) == number
    assert read_number(f"{number:+}") == number


@pytest.mark.parametrize(
    ("text", "value"), [(".5", 0.5), ("+1.7", 1.7), ("5.", 5.0), ("-.5e+1", -5.0), ("007", 7.0)]
)
def test_a_number_is_read_as_people_write_it(text: str, value: float) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize(
    "text",
    ["1,5", "64,000.50", "$1", "inf", "NaN", "1e999", "1_0", "0x10", "٣", ".", "+", "1 5", "--1"],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        read_number(text)


def test_a_boolean_is_read_in_any_case() -> None:
    assert [read_boolean(text) for text in ("true", "True", "TRUE", "false", "False")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    for text in ("1", "yes", "", "-"):
        with pytest.raises(ValueError, match="expected true or false"):
            read_boolean(text)


# ---------------------------------------------------------------- by the field

_WORDLESS = (FieldType.INTEGER, FieldType.NUMBER, FieldType.BOOLEAN, FieldType.TIME)
_MISSING = ("NA", "N/A", "NULL", "null", "NaN", "-", "nan", "n/a")


@pytest.mark.parametrize("text", _MISSING)
@pytest.mark.parametrize("type", _WORDLESS)
def test_a_word_for_nothing_is_a_missing_value_where_there_may_be_one(
    type: FieldType, text: str
) -> None:
    assert reader_of(Field("x", type, nullable=True))(text) is None
    with pytest.raises(ValueError, match="expected"):
        reader_of(Field("x", type))(text)


@pytest.mark.parametrize("text", _MISSING)
def test_in_text_such_a_word_is_a_value(text: str) -> None:
    assert reader_of(Field("x", FieldType.TEXT, nullable=True))(text) == text


def test_a_time_that_was_never_set_is_missing_where_it_may_be() -> None:
    text = "0001-01-01 00:00:00 +0000 UTC"

    assert reader_of(Field("x", FieldType.TIME, nullable=True))(text) is None
    assert reader_of(Field("x", FieldType.TIME))(text) == datetime(1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        (FieldType.INTEGER, "7.0", 7),
        (FieldType.NUMBER, ".5", 0.5),
        (FieldType.BOOLEAN, "True", True),
        (FieldType.TIME, "2026-01-31 12:00:00+00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (FieldType.TEXTS, "a", "a"),
    ],
)
@pytest.mark.parametrize("nullable", [True, False])
def test_a_text_is_read_as_the_field_says(
    type: FieldType, text: str, value: Any, nullable: bool
) -> None:
    assert reader_of(Field("x", type, nullable=nullable))(text) == value


@pytest.mark.parametrize("nullable", [True, False])
def test_what_is_no_value_and_no_such_word_is_refused(nullable: bool) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        reader_of(Field("x", FieldType.NUMBER, nullable=nullable))("none of it")
