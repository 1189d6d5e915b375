"""An element is read by its meaning where its spelling is not the strict one."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.formats.json import read_json
from adapters.outbound.formats.json_values import reader_of
from domain.fields import INT64_MAX, INT64_MIN, Int64
from domain.payloads import Payload
from domain.sources import RecordMapping
from domain.times import parse_time

Time = Annotated[datetime, msgspec.Meta(tz=True)]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Inner(msgspec.Struct, rename="camel"):
    """What is inside."""

    some_numbers: list[int] = []
    by_name: dict[str, float] = {}
    pair: tuple[int, str] | None = None


class Element(msgspec.Struct):
    """An element with a value of every kind."""

    number: Int64 = 0
    real: float = 0.0
    maybe: int | None = None
    when: Time | None = None
    at: Time = NOON
    flag: bool = False
    text: str = ""
    inner: Inner | None = None
    either: int | str = 0
    anything: Any = None


def read(**members: str) -> Element:
    """Read an element whose members are spelled like this."""
    spelled = ",".join(f'"{name}":{value}' for name, value in members.items())
    return reader_of(Element)(b"{" + spelled.encode() + b"}")


@pytest.mark.parametrize(
    ("member", "spelled", "value"),
    [
        ("number", "1.0", 1),
        ("number", "2e0", 2),
        ("number", "9007199254740993.0", 2**53 + 1),
        ("number", '"7"', 7),
        ("number", '"+7.0"', 7),
        ("maybe", "1.0", 1),
        ("maybe", "null", None),
        ("real", "1", 1.0),
        ("real", '".5"', 0.5),
        ("real", '"5."', 5.0),
        ("real", '"64012.25"', 64012.25),
        ("when", '"2026-01-31 12:00:00+00"', NOON),
        ("when", '"2026-01-31T12:00:00.1234567Z"', NOON.replace(microsecond=123_456)),
        ("when", '"2026-01-31T11:59:59.9999999Z"', NOON - timedelta(microseconds=1)),
        ("when", '"0001-01-01T00:00:00Z"', None),
        ("when", '""', None),
        ("at", '"2026-01-31 12:00:00 UTC"', NOON),
        ("at", '"0001-01-01T00:00:00Z"', datetime(1, 1, 1, tzinfo=UTC)),
        ("inner", '{"someNumbers":[1.0,2,"3"]}', Inner([1, 2, 3])),
        ("inner", '{"someNumbers":[1.0],"byName":{"a":".5"}}', Inner([1], {"a": 0.5})),
        ("inner", '{"pair":[1.0,"a"]}', Inner(pair=(1, "a"))),
    ],
)
def test_a_value_is_read_as_its_type_means_it(member: str, spelled: str, value: Any) -> None:
    element = read(**{member: spelled})

    assert getattr(element, member) == value
    assert type(getattr(element, member)) is type(value)
    # The same with another member that is strictly wrong, and beside what is not read.
    beside = read(**{"number": "1.0", member: spelled, "unread": '[1.5,{"a":1e5}]'})
    assert getattr(beside, member) == value


@pytest.mark.parametrize(
    ("member", "spelled", "reason"),
    [
        ("number", "1.5", r"Expected `int`, got `float` - at `\$.number`"),
        ("number", "9223372036854775808.0", "Expected `int`, got `float`"),
        ("number", '"1,000"', "Expected `int`, got `str`"),
        ("number", '"seven"', "Expected `int`, got `str`"),
        ("number", "true", "Expected `int`, got `bool`"),
        ("number", "null", "Expected `int`, got `null`"),
        ("real", '"NaN"', "Expected `float`, got `str`"),
        ("real", "1e400", "Number out of range"),
        ("real", '"1e400"', "Expected `float`, got `str`"),
        ("at", '""', "Invalid RFC3339"),
        ("at", "null", "Expected `str`|Expected `datetime`"),
        ("at", '"2026-01-31T12:00:00"', "timezone"),
        ("flag", '"true"', "Expected `bool`, got `str`"),
        ("text", "1.5", "Expected `str`, got `float`"),
        ("inner", '{"someNumbers":[1.0,1.5]}', r"- at `\$.inner.someNumbers\[1\]`"),
        ("either", "1.5", "Expected `int | str`"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(
    member: str, spelled: str, reason: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason):
        read(**{member: spelled})


def test_what_is_not_read_may_be_spelled_in_any_way() -> None:
    element = read(number="1.0", anything='[1.5,{"a":2e1}]', text='"1.0"')

    assert (element.anything, element.text) == ([1.5, {"a": 20.0}], "1.0")


moments = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - as they are drawn
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-840, 840).map(lambda m: timezone(timedelta(minutes=m))),
)
spelled_moments = st.builds(
    "{}{}{}".format,
    moments.map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S.%f}"),
    st.text("0123456789", max_size=4),
    st.sampled_from(["Z", "z", "+01:00", "-05:30", "+0100"]),
)


@given(spelled_moments)
def test_json_csv_and_queries_have_one_reader_of_times(text: str) -> None:
    assert read(when=json.dumps(text)).when == parse_time(text)


numbers = st.integers(INT64_MIN, INT64_MAX).flatmap(
    lambda number: st.sampled_from([f"{number}", f"{number}.0", f'"{number}"', f"{number}.000e0"])
)
elements = st.fixed_dictionaries(
    {"number": numbers, "when": spelled_moments.map(json.dumps) | st.just('""')},
    optional={"real": st.floats(allow_nan=False, allow_infinity=False).map(json.dumps)},
).map(lambda m: "{" + ",".join(f'"{n}":{v}' for n, v in m.items()) + "}")


@given(st.lists(elements | st.just("{}") | st.just('{"number":1.5}'), max_size=4))
def test_an_element_is_read_the_same_whatever_stands_beside_it(spelled: list[str]) -> None:
    mapping = RecordMapping(Element, lambda element, payload: element)

    def records(*texts: str) -> list[Element]:
        body = f"[{','.join(texts)}]".encode()
        return read_json(Payload(url="", body=body, received_at=NOON), mapping).records

    assert records(*spelled) == [record for one in spelled for record in records(one)]
