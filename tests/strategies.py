"""Hypothesis strategies: a made-up dataset with every kind of field, and questions about it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Literal

import msgspec
from hypothesis import strategies as st

from domain.dataset import Dataset, Role
from domain.fields import INT64_MAX, INT64_MIN, Field, FieldType, Int64
from domain.filters import Condition, Filter, Operator, operators_of
from domain.paging import Sort


class Mood(StrEnum):
    """How a sample feels."""

    CALM = "calm"
    ANGRY = "angry"


def sample_dataset(name: str = "samples") -> Dataset[Any]:
    """Declare a dataset at run time, as a configuration file would."""
    record = msgspec.defstruct(
        "Sample",
        [
            ("source", str),
            ("number", Int64),
            ("count", Int64 | None),
            ("price", float),
            ("rating", float | None),
            ("ready", bool),
            ("checked", bool | None),
            ("seen_at", datetime),
            ("closed_at", datetime | None),
            ("title", str),
            ("note", str | None),
            ("mood", Mood),
            ("state", Literal["on", "off"] | None),
            ("tags", list[str]),
            ("labels", list[str] | None),
        ],
        frozen=True,
    )
    return Dataset(
        name=name,
        record=record,
        key=("source", "number"),
        default_sort="source,number",
        indexes=(("count",), ("rating",), ("mood", "seen_at"), ("note", "price")),
        fetch_by=Role.USER,
    )


SAMPLES = sample_dataset()

# ---------------------------------------------------------------- values

#: Every store must tell these apart, and put them in the same order.
AWKWARD_TEXTS = [
    "",
    " ",
    "a",
    "A",
    "ab",
    "aB",
    "b",
    "a,b",
    "\\",
    "\\,",
    "%",
    "_",
    "'",
    '"',
    "é",
    "É",
    "e\u0301",
    "ß",
    "ſ",
    "İ",
    "\uffff",
    "😀",
    "null",
    "1",
    "\n",
]
AWKWARD_INTEGERS = [INT64_MIN, INT64_MIN + 1, -1, 0, 1, 2, 2**53, 2**53 + 1, INT64_MAX]
AWKWARD_NUMBERS = [-1.7e308, -1.5, -5e-324, -0.0, 0.0, 5e-324, 0.1, 1.0, 1.5, 1e16, 2.0**53, 1e308]
AWKWARD_TIMES = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]

texts = st.sampled_from(AWKWARD_TEXTS) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4
)
integers = st.sampled_from(AWKWARD_INTEGERS) | st.integers(INT64_MIN, INT64_MAX)
numbers = st.sampled_from(AWKWARD_NUMBERS) | st.floats(allow_nan=False, allow_infinity=False)
times = st.sampled_from(AWKWARD_TIMES) | st.datetimes(timezones=st.just(UTC))

_VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.INTEGER: integers,
    FieldType.NUMBER: numbers,
    FieldType.BOOLEAN: st.booleans(),
    FieldType.TIME: times,
    FieldType.TEXT: texts,
    FieldType.TEXTS: texts,
}


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Values a field can be asked for."""
    return st.sampled_from(field.choices) if field.choices else _VALUES[field.type]


def samples() -> st.SearchStrategy[Any]:
    """Records of the made-up dataset, few of them with keys of their own."""
    lists = st.lists(texts, max_size=3)
    return st.builds(
        SAMPLES.record,
        source=st.sampled_from(["a", "B"]),
        number=st.sampled_from([INT64_MIN, -1, 0, 1, 2, 3, INT64_MAX]),
        count=st.none() | integers,
        price=numbers,
        rating=st.none() | numbers,
        ready=st.booleans(),
        checked=st.none() | st.booleans(),
        seen_at=times,
        closed_at=st.none() | times,
        title=texts,
        note=st.none() | texts,
        mood=st.sampled_from(Mood),
        state=st.none() | st.sampled_from(["on", "off"]),
        tags=lists,
        labels=st.none() | lists,
    )


def sample(number: int = 1, **changed: Any) -> Any:
    """One plain record."""
    plain = SAMPLES.record(
        source="a",
        number=number,
        count=None,
        price=1.0,
        rating=None,
        ready=True,
        checked=None,
        seen_at=datetime(2026, 1, 1, tzinfo=UTC),
        closed_at=None,
        title="a title",
        note=None,
        mood=Mood.CALM,
        state=None,
        tags=[],
        labels=None,
    )
    return msgspec.structs.replace(plain, **changed)


# ---------------------------------------------------------------- questions


@st.composite
def conditions(
    draw: st.DrawFn,
    fields: Sequence[Field] = tuple(SAMPLES.fields.values()),
    values: Callable[[Field], st.SearchStrategy[Any]] = values_of,
    longest_list: int = 4,
) -> Condition:
    """One comparison that makes sense."""
    field = draw(st.sampled_from(fields))
    operator = draw(st.sampled_from(operators_of(field)))
    value = values(field)
    if operator is Operator.ISNULL:
        return Condition(field, operator, draw(st.booleans()))
    if operator is Operator.BETWEEN:
        return Condition(field, operator, draw(st.tuples(value, value)))
    if operator.takes_list:
        return Condition(
            field, operator, tuple(draw(st.lists(value, min_size=1, max_size=longest_list)))
        )
    return Condition(field, operator, draw(value))


filters = st.lists(conditions(), max_size=2).map(lambda some: Filter(tuple(some)))


@st.composite
def sorts(draw: st.DrawFn) -> Sort:
    """An order by up to three fields, in any directions."""
    sortable = [field.name for field in SAMPLES.fields.values() if field.sortable]
    names = draw(st.lists(st.sampled_from(sortable), max_size=3, unique=True))
    signs = [draw(st.sampled_from(["", "-"])) for _ in names]
    return Sort.parse(SAMPLES, ",".join(map("".join, zip(signs, names, strict=True))))
