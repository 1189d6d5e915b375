"""Fields: supported types, parsing, formatting and storable values."""

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, Optional

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidDataset
from domain.fields import (
    INT64_MAX,
    INT64_MIN,
    MAX_TEXT_BYTES,
    Field,
    FieldType,
    Int64,
    fields_of,
)
from tests.strategies import SAMPLES, values_of

HALF_A_SECOND_PAST_TEN = datetime(2026, 1, 31, 10, 0, 0, 500_000, tzinfo=UTC)


class Colour(StrEnum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


def field(type: FieldType, **described: Any) -> Field:
    """Return a field of that type."""
    return Field("x", type, **described)


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (int, field(FieldType.INTEGER)),
        (Int64, field(FieldType.INTEGER)),
        (Int64 | None, field(FieldType.INTEGER, nullable=True)),
        (Annotated[int | None, "a note"], field(FieldType.INTEGER, nullable=True)),
        (Annotated[Annotated[int, 1] | None, 2], field(FieldType.INTEGER, nullable=True)),
        (float, field(FieldType.NUMBER)),
        (bool, field(FieldType.BOOLEAN)),
        (datetime, field(FieldType.TIME)),
        (str, field(FieldType.TEXT)),
        (Optional[str], field(FieldType.TEXT, nullable=True)),  # noqa: UP045 - both spellings
        (Colour, field(FieldType.CHOICE, choices=("red", "blue"))),
        (Colour | None, field(FieldType.CHOICE, nullable=True, choices=("red", "blue"))),
        (Literal["on", "off"], field(FieldType.CHOICE, choices=("on", "off"))),
        (Literal["on"] | None, field(FieldType.CHOICE, nullable=True, choices=("on",))),
        (list[str], field(FieldType.TEXTS)),
        (tuple[str, ...], field(FieldType.TEXTS)),
        (list[str] | None, field(FieldType.TEXTS, nullable=True)),
    ],
    ids=str,
)
def test_a_field_is_described_by_its_type(hint: Any, expected: Field) -> None:
    record = msgspec.defstruct("Record", [("x", hint)])

    assert fields_of(record) == {"x": expected}


class _Plain(Enum):
    A = 1


@pytest.mark.parametrize(
    "hint",
    [bytes, dict[str, str], list[int], list, int | str, int | str | None, _Plain, Any, object],
    ids=str,
)
def test_a_type_no_store_supports_is_refused(hint: Any) -> None:
    record = msgspec.defstruct("Record", [("x", hint)])

    with pytest.raises(InvalidDataset, match="no store supports"):
        fields_of(record)


def test_only_lists_have_no_order() -> None:
    unsortable = [type for type in FieldType if not field(type).sortable]

    assert unsortable == [FieldType.TEXTS]


# ---------------------------------------------------------------- reading and writing


@given(st.data())
def test_a_written_value_reads_back_as_it_was(data: st.DataObject) -> None:
    described = data.draw(st.sampled_from(list(SAMPLES.fields.values())))
    value = data.draw(values_of(described))

    again = described.parse(described.format(value))

    assert again == value
    assert type(again) is type(value)
    # Zero has no sign.
    value = value + 0.0 if described.type is FieldType.NUMBER else value
    assert repr(again) == repr(value) or described.type is FieldType.TIME


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        (FieldType.INTEGER, "-0", 0),
        (FieldType.INTEGER, "007", 7),
        (FieldType.INTEGER, str(INT64_MIN), INT64_MIN),
        (FieldType.INTEGER, str(INT64_MAX), INT64_MAX),
        (FieldType.NUMBER, "12", 12.0),
        (FieldType.NUMBER, "-3e8", -3e8),
        (FieldType.NUMBER, "1.5E-3", 0.0015),
        (FieldType.BOOLEAN, "true", True),
        (FieldType.BOOLEAN, "false", False),
        (FieldType.TIME, "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (FieldType.TIME, "2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (FieldType.TIME, "2026-01-31T12:00:00.5+02:00", HALF_A_SECOND_PAST_TEN),
        (FieldType.TEXT, "", ""),
        (FieldType.TEXTS, "a,b", "a,b"),
    ],
)  # fmt: skip
def test_text_is_read_as_the_type_says(type: FieldType, text: str, value: Any) -> None:
    assert field(type).parse(text) == value


@pytest.mark.parametrize(
    ("type", "text"),
    [
        *[
            (FieldType.INTEGER, text)
            for text in ("", " 1", "1 ", "+1", "1.0", "1e3", "1_000", "٣", "0x1", "a", "-", "1\n")
        ],
        (FieldType.INTEGER, str(INT64_MAX + 1)),
        (FieldType.INTEGER, str(INT64_MIN - 1)),
        (FieldType.INTEGER, "1" * 5000),
        *[
            (FieldType.NUMBER, text)
            for text in ("", "nan", "inf", "-Infinity", "1e999", ".5", "5.", "1_0", "٣", "1e")
        ],
        *[(FieldType.BOOLEAN, text) for text in ("", "1", "True", "yes")],
        *[
            (FieldType.TIME, text)
            for text in (
                "",
                "2026-01-31",
                "2026-01-31T12:00:00",
                "2026-01-31_12:00:00Z",
                "2026-13-31T12:00:00Z",
                "2026-01-31T25:00:00Z",
                "0001-01-01T00:00:00+01:00",
                "2026-01-31T12:00:00+99:00",
                "2026-01-31T12:00:00.Z",
            )
        ],
        (FieldType.TEXT, "a\0"),
    ],
)  # fmt: skip
def test_an_invalid_text_is_refused_with_what_was_expected(type: FieldType, text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        field(type).parse(text)


@pytest.mark.parametrize(
    ("text", "advised"),
    [
        ("2026-01-31T12:00:00 01:00", True),
        ("2026-01-31 12:00:00.5 0100", True),
        ("2026-01-31T12:00:00", False),
        ("yesterday", False),
    ],
)
def test_a_plus_sign_that_was_lost_in_a_query_is_what_is_advised_about(
    text: str, advised: bool
) -> None:
    with pytest.raises(ValueError, match="expected a time with its zone") as refused:
        field(FieldType.TIME).parse_query(text)

    assert str(refused.value).endswith("(write + as %2B)") is advised


def test_what_is_asked_is_read_as_anything_else() -> None:
    assert field(FieldType.INTEGER).parse_query("7") == 7
    with pytest.raises(ValueError, match="expected a 64-bit integer"):
        field(FieldType.INTEGER).parse_query("7 01:00:00 01")


def test_a_choice_is_one_of_its_values() -> None:
    described = field(FieldType.CHOICE, choices=("on", "off"))

    assert described.parse("on") == "on"
    with pytest.raises(ValueError, match="expected one of on, off"):
        described.parse("ON")


def test_times_are_written_in_utc() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))

    assert field(FieldType.TIME).format(noon) == "2026-01-31T10:00:00Z"


# ---------------------------------------------------------------- what may be kept


@given(st.data())
def test_every_ordinary_value_can_be_stored(data: st.DataObject) -> None:
    described = data.draw(st.sampled_from(list(SAMPLES.fields.values())))
    value = data.draw(values_of(described))

    kept = [value] if described.type is FieldType.TEXTS else value

    assert described.defect(kept) is None


@pytest.mark.parametrize(
    ("type", "value", "reason"),
    [
        (FieldType.INTEGER, INT64_MAX + 1, "does not fit in 64 bits"),
        (FieldType.INTEGER, INT64_MIN - 1, "does not fit in 64 bits"),
        (FieldType.NUMBER, float("nan"), "is not a finite number"),
        (FieldType.NUMBER, float("-inf"), "is not a finite number"),
        (FieldType.TIME, datetime(2026, 1, 1), "has no time zone"),  # noqa: DTZ001 - that is it
        (
            FieldType.TIME,
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            "lies outside the years 1 to 9999",
        ),
        (FieldType.TEXT, "a\0b", "holds the character U+0000"),
        (FieldType.TEXT, "\ud800", "holds a lone surrogate"),
        (FieldType.CHOICE, "\0", "holds the character U+0000"),
        (FieldType.TEXTS, ["fine", "\udfff"], "holds a lone surrogate"),
        *[(type, None, "is missing") for type in FieldType],
    ],
)
def test_a_value_that_cannot_be_stored_has_a_reason(
    type: FieldType, value: Any, reason: str
) -> None:
    assert field(type).defect(value) == reason


@pytest.mark.parametrize("type", FieldType)
def test_a_nullable_field_may_be_missing(type: FieldType) -> None:
    assert field(type, nullable=True).defect(None) is None


def test_a_list_with_a_text_that_is_too_long_is_not_sound() -> None:
    tags = Field("tags", FieldType.TEXTS)

    assert tags.sound([["a"], ["x" * MAX_TEXT_BYTES]])
    assert not tags.sound([["a"], ["x" * (MAX_TEXT_BYTES + 1)]])
