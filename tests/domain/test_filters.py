"""Filters: parsing, formatting and matching."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidValue, MalformedQuery, UnknownParameter
from domain.fields import Field, FieldType
from domain.filters import (
    MAX_CONDITIONS,
    MAX_VALUES,
    Condition,
    Filter,
    Operator,
    joined,
    operators_of,
)
from tests.strategies import SAMPLES, conditions, filters, samples, values_of

FIELDS = SAMPLES.fields


def parsed(*parameters: tuple[str, str]) -> Filter:
    """Return the filter written so."""
    return Filter.parse(FIELDS, parameters)


def matches(value: Any, operator: Operator, wanted: Any, type: FieldType = FieldType.TEXT) -> bool:
    """Return whether a record with that value meets that condition."""
    condition = Condition(Field("x", type, nullable=True), operator, wanted)
    return Filter((condition,)).matches(SimpleNamespace(x=value))


# ---------------------------------------------------------------- reading and writing


@given(filters)
def test_a_written_filter_reads_back_as_it_was(filter: Filter) -> None:
    again = Filter.parse(FIELDS, filter.format())

    assert {*again.conditions} == {*map(plain, filter.conditions)}


def plain(condition: Condition) -> Condition:
    """The condition as it is read: in a list neither order nor repetition means anything."""
    if condition.operator not in (Operator.IN, Operator.NIN):
        return condition
    return Condition(condition.field, condition.operator, tuple(sorted({*condition.value})))


@given(st.lists(values_of(FIELDS["title"]), min_size=1, max_size=8))
def test_commas_and_backslashes_survive_in_lists(values: list[str]) -> None:
    condition = Condition(FIELDS["title"], Operator.IN, tuple(values))

    [again] = parsed((condition.name, condition.text)).conditions

    assert again == plain(condition)


@given(st.text(alphabet="a,\\ \t", max_size=12))
def test_any_text_is_some_list(text: str) -> None:
    [condition] = parsed(("title__in", text)).conditions

    assert parsed((condition.name, condition.text)) == Filter((condition,))


@given(st.lists(st.text(alphabet="a,\\ ", max_size=6), min_size=1))
def test_lists_that_are_joined_have_all_their_items(texts: list[str]) -> None:
    every = {item for text in texts for item in parsed(("title__in", text)).conditions[0].value}

    [condition] = parsed(("title__in", joined(texts))).conditions

    assert condition.value == tuple(sorted(every))


@given(filters)
def test_equal_questions_are_written_the_same(filter: Filter) -> None:
    twice = Filter(tuple(reversed(filter.conditions))) & filter

    again = Filter.parse(FIELDS, [(c.name, _otherwise(c)) for c in twice.conditions])

    assert again.format() == Filter.parse(FIELDS, filter.format()).format()


def _otherwise(condition: Condition) -> str:
    """The same condition in other words."""
    if condition.operator in (Operator.IN, Operator.NIN):
        return (
            " , ".join(reversed(condition.text.split(",")))
            if _simple(condition)
            else (joined([condition.text, condition.text]))
        )
    if condition.field.type is FieldType.BOOLEAN or condition.operator is Operator.ISNULL:
        return condition.text.upper()
    return condition.text


def _simple(condition: Condition) -> bool:
    return condition.field.type not in (FieldType.TEXT, FieldType.CHOICE)


@given(conditions(), conditions())
def test_different_conditions_are_written_differently(one: Condition, other: Condition) -> None:
    same = plain(one) == plain(other)

    assert (parsed((one.name, one.text)).format() == parsed((other.name, other.text)).format()) is (
        same
    )


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
@pytest.mark.parametrize("name", ["ready", "rating__isnull"])
def test_true_and_false_may_be_written_in_any_case(name: str, text: str) -> None:
    assert parsed((name, text)) == parsed((name, "true"))
    assert parsed((name, "False")) == parsed((name, "false"))


@pytest.mark.parametrize("name", ["seen_at__gte", "seen_at__in", "_changed_at__lt"])
def test_a_date_is_its_midnight_in_utc(name: str) -> None:
    assert parsed((name, "2026-01-31")) == parsed((name, "2026-01-31T01:00:00+01:00"))


@pytest.mark.parametrize("name", ["title", "title__in", "note", "tags"])
def test_an_empty_value_is_a_text(name: str) -> None:
    [condition] = parsed((name, "")).conditions

    assert condition.value in ("", ("",))


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("rating", "rating__isnull=true"),
        ("closed_at__in", "closed_at__isnull=true"),
        ("state", "state__isnull=true"),
        ("rating__isnull", "rating__isnull=true"),
        ("number__gte", "there is no number__isnull"),
    ],
)
def test_what_to_ask_in_place_of_an_empty_value_is_said(name: str, detail: str) -> None:
    with pytest.raises(InvalidValue, match=f"^expected .*; .*{detail}"):
        parsed((name, ""))


@given(filters, filters)
def test_the_canonical_text_does_not_depend_on_the_order(one: Filter, other: Filter) -> None:
    assert (one & other).format() == (other & one).format()


def test_a_bare_field_is_equality() -> None:
    assert parsed(("number", "1")) == parsed(("number__eq", "1"))


def test_a_bare_list_field_matches_if_it_contains_the_value() -> None:
    assert parsed(("tags", "a,b")) == parsed(("tags__has", "a,b"))


def test_records_can_be_filtered_by_the_time_of_change() -> None:
    [condition] = parsed(("_changed_at__gte", "2026-01-01T00:00:00Z")).conditions

    assert condition.field.name == "_changed_at"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", ("",)),
        (",", ("",)),
        ("a,b", ("a", "b")),
        ("b,a,b", ("a", "b")),
        (" a , b\t", ("a", "b")),
        (r"\ a\ , b", (" a ", "b")),
        (r"a \ ", ("a  ",)),
        (r"a\\ ", ("a\\",)),
        (r"a b\c", ("a b\\c",)),
        (r"a\,b", ("a,b",)),
        (r"a\\,b", ("a\\", "b")),
        (r"\a", (r"\a",)),
        ("a\\", ("a\\",)),
    ],
)
def test_a_list_is_split_at_commas(text: str, values: tuple[str, ...]) -> None:
    [condition] = parsed(("title__in", text)).conditions

    assert condition.value == values


@pytest.mark.parametrize(
    "name",
    ["nothing", "nothing__eq", "", "__eq", "title__", "title__EQ", "title__like", "a__b__eq"],
)
def test_an_unknown_parameter_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnknownParameter) as refused:
        parsed((name, "x"))

    assert refused.value.parameter == name
    assert ":" in refused.value.detail


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("ready__lt", "eq, ne"),
        ("mood__lt", "eq, ne, in, nin"),
        ("tags__eq", "has"),
        ("labels__eq", "has, isnull"),
        ("price__contains", "eq, ne, in, nin, lt, lte, gt, gte, between"),
    ],
)
def test_an_unsupported_operator_is_refused_with_the_supported_ones(
    name: str, allowed: str
) -> None:
    with pytest.raises(UnknownParameter, match=f"supports these operators: {allowed}$"):
        parsed((name, "x"))


def test_only_nullable_fields_support_isnull() -> None:
    nullable = {name for name, f in FIELDS.items() if Operator.ISNULL in operators_of(f)}

    assert nullable == {name for name, f in FIELDS.items() if f.nullable}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("number", "one"),
        ("number__in", "1,"),
        ("rating__isnull", "yes"),
        ("number__between", "1"),
        ("number__between", "1,2,3"),
        ("title__in", "," * MAX_VALUES),
        ("mood", "happy"),
    ],
)
def test_a_value_that_does_not_parse_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InvalidValue, match="expected") as refused:
        parsed((name, text))

    assert refused.value.parameter == name


def test_a_list_may_be_as_long_as_allowed() -> None:
    [condition] = parsed(("title__in", ",".join(map(str, range(MAX_VALUES))))).conditions

    assert len(condition.value) == MAX_VALUES


def test_a_query_has_no_more_conditions_than_allowed() -> None:
    most = [("number__gt", str(number)) for number in range(MAX_CONDITIONS)]

    assert len(parsed(*most).conditions) == MAX_CONDITIONS
    with pytest.raises(MalformedQuery, match=str(MAX_CONDITIONS)):
        parsed(*most, ("number__lt", "0"))


# ---------------------------------------------------------------- meaning


@pytest.mark.parametrize(
    ("operator", "wanted", "yes", "no"),
    [
        (Operator.EQ, "b", ["b"], ["a", "B", "b ", None]),
        (Operator.NE, "b", ["a", "B", None], ["b"]),
        (Operator.LT, "b", ["a", "B", ""], ["b", "c", "é", None]),
        (Operator.LTE, "b", ["a", "b"], ["c", None]),
        (Operator.GT, "b", ["c", "é"], ["b", "a", None]),
        (Operator.GTE, "b", ["b", "c"], ["a", None]),
        (Operator.IN, ("a", "b"), ["a", "b"], ["c", "", None]),
        (Operator.NIN, ("a", "b"), ["c", "", None], ["a", "b"]),
        (Operator.BETWEEN, ("b", "d"), ["b", "c", "d"], ["a", "e", None]),
        (Operator.BETWEEN, ("d", "b"), [], ["b", "c", "d", None]),
        (Operator.ISNULL, True, [None], ["", "a"]),
        (Operator.ISNULL, False, ["", "a"], [None]),
        (Operator.CONTAINS, "b%", ["ab%c"], ["abc", "aB%", None]),
        (Operator.CONTAINS, "", ["", "a"], [None]),
        (Operator.ICONTAINS, "aé", ["xAéx", "aé"], ["AÉ", "a", None]),
        (Operator.ICONTAINS, "K", ["k"], ["\u212a"]),
        (Operator.STARTSWITH, "a_", ["a_b"], ["ab", "A_", "ba_", None]),
    ],
)
def test_an_operator_compares_as_documented(
    operator: Operator, wanted: Any, yes: list[Any], no: list[Any]
) -> None:
    assert [value for value in yes + no if matches(value, operator, wanted)] == yes


@pytest.mark.parametrize(
    ("value", "expected"), [(["a", "b"], True), (["ab"], False), (None, False)]
)
def test_has_matches_a_whole_item(value: Any, expected: bool) -> None:
    assert matches(value, Operator.HAS, "a", FieldType.TEXTS) is expected


@given(conditions(), samples())
def test_ne_and_nin_are_the_negations_of_eq_and_in(condition: Condition, record: Any) -> None:
    opposite = {Operator.EQ: Operator.NE, Operator.IN: Operator.NIN}.get(condition.operator)
    row = SAMPLES.stored(record, record.seen_at)

    if opposite is not None:
        negated = Condition(condition.field, opposite, condition.value)
        assert condition.matches(row) is not negated.matches(row)


@given(filters, filters, samples())
def test_combined_filters_match_records_that_both_match(
    one: Filter, other: Filter, record: Any
) -> None:
    row = SAMPLES.stored(record, record.seen_at)

    assert (one & other).matches(row) is (one.matches(row) and other.matches(row))


def test_no_conditions_match_everything() -> None:
    assert Filter().matches(object())
