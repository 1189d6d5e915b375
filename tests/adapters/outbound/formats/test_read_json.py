"""A list is read as a whole, or else element by element, within bounds."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.formats.json import read_json
from domain.builtin.posts import Post
from domain.errors import UnexpectedContent
from domain.payloads import Batch, Payload
from domain.reports import Rejection
from domain.sources import JsonFormat, RecordMapping

GOOD = b'{"userId":7,"id":1,"title":"a","body":"b"}'


class Reading(msgspec.Struct):
    """An element with something inside it."""

    values: list[dict[str, int]]


class Sum(msgspec.Struct, frozen=True):
    """What becomes of it."""

    total: int


def sum_of(element: Reading, payload: Payload) -> Sum:
    total = sum(value for each in element.values for value in each.values())
    if total < 0:
        raise ValueError("a sum is never negative")
    return Sum(total)


POSTS = jsonplaceholder("").mapping
SUMS = RecordMapping(Reading, sum_of)
SINGLE = JsonFormat(single=True)


def payload(body: bytes, content_type: str = "application/json") -> Payload:
    received_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Payload(url="", body=body, content_type=content_type, received_at=received_at)


def test_a_sound_list_is_its_records() -> None:
    batch = read_json(payload(b" [" + GOOD + b"]\n"), POSTS)

    assert batch == Batch([Post(1, 7, "a", "b")])


def test_the_same_payload_always_gives_the_same_batch() -> None:
    body = payload(b"[" + GOOD + b",NaN," + GOOD + b"]")

    assert read_json(body, POSTS) == read_json(body, POSTS)


def test_every_bad_element_is_one_rejection_with_its_place() -> None:
    batch = read_json(
        payload(b'[{"userId":"x","id":1,"title":"a","body":"b"},' + GOOD + b",null,{},]"), POSTS
    )

    assert batch.records == [Post(1, 7, "a", "b")]
    assert batch.rejections == [
        Rejection(
            "/0/userId",
            "Expected `int`, got `str`",
            '{"userId":"x","id":1,"title":"a","body":"b"}',
        ),
        Rejection("/2", "Expected `object`, got `null`", "null"),
        Rejection("/3", "Object missing required field `userId`", "{}"),
    ]


def test_a_place_inside_an_element_is_a_json_pointer() -> None:
    batch = read_json(payload(b'[{"values":[{"a":1}]},{"values":[{"a":1},{"b":"x"}]}]'), SUMS)

    assert batch.records == [Sum(1)]
    assert [rejection.pointer for rejection in batch.rejections] == ["/1/values/1"]


def test_a_record_may_be_refused_for_its_meaning() -> None:
    batch = read_json(payload(b'[{"values":[{"a":1}]},{"values":[{"a":-1}]}]'), SUMS)

    assert batch == Batch(
        [Sum(1)], [Rejection("/1", "a sum is never negative", '{"values":[{"a":-1}]}')]
    )


def test_what_is_shown_of_a_bad_record_is_short() -> None:
    (rejection,) = read_json(payload(b'["' + "é".encode() * 10_000 + b'"]'), POSTS).rejections

    assert rejection.excerpt == '"' + "é" * 199


def test_braces_within_text_are_no_records() -> None:
    element = GOOD.replace(b'"b"', b'"' + b"{" * 1_000_001 + b'"')

    assert len(read_json(payload(b"[" + element + b"]"), POSTS).records) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"[" + b"{}," * 1_000_000 + b"{}]", "too_many_records", id="objects"),
        pytest.param(b"[" + b"1," * 1_000_000 + b"1]", "too_many_rejections", id="numbers"),
        pytest.param(b'[{"x":' + b"[" * 9999 + b"]" * 9999 + b"}]", "too_deep", id="deep"),
        pytest.param(b"[" + GOOD, "incomplete", id="cut"),
        pytest.param(b"[" + GOOD[:-9], "incomplete", id="cut within"),
        pytest.param(b"[" + GOOD + b"]]", "unexpected_content", id="trailing"),
        pytest.param(b'{"error":1}', "unexpected_content", id="object"),
        pytest.param(b"<html>", "unexpected_content", id="html"),
        pytest.param(b"42", "unexpected_content", id="number"),
    ],
)
def test_a_body_without_separate_records_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        read_json(payload(body), POSTS)

    assert unexpected.value.code == code


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.api+json",
        "text/json",
        "text/plain",
        "text/javascript",
        "text/html; charset=utf-8",
        "image/svg+xml",
        "application/octet-stream",
    ],
)
def test_whatever_is_json_is_read_whatever_its_label(content_type: str) -> None:
    assert read_json(payload(b"[]", content_type), POSTS) == Batch([])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!doctype html><title>Sorry</title>", "an HTML page"),
        (b"\n<HTML lang='en'>", "an HTML page"),
        (b"<?xml version='1.0'?><posts/>", "XML"),
        (b"callback([])", "not JSON"),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/html; charset=utf-8"])
def test_whatever_is_something_else_is_not_and_says_what_it_is(
    body: bytes, kind: str, content_type: str
) -> None:
    for format in (JsonFormat(), SINGLE):
        with pytest.raises(UnexpectedContent, match=f"the body is {kind}, and a JSON") as refused:
            read_json(payload(body, content_type), POSTS, format)

        assert refused.value.code == "unexpected_content"


# ---------------------------------------------------------------- one record, and no list


def test_a_single_object_is_one_record() -> None:
    assert read_json(payload(b' {"values":[{"a":1}]}\n'), SUMS, SINGLE) == Batch([Sum(1)], [])


@pytest.mark.parametrize(
    ("body", "rejection"),
    [
        (
            b'{"values":[{"a":-1}]}',
            Rejection("", "a sum is never negative", '{"values":[{"a":-1}]}'),
        ),
        (
            b'{"values":[{"b":"x"}]}',
            Rejection("/values/0", "Expected `int`, got `str`", '{"values":[{"b":"x"}]}'),
        ),
        (b"{}", Rejection("", "Object missing required field `values`", "{}")),
    ],
)
def test_what_is_wrong_with_a_single_object_has_no_number(
    body: bytes, rejection: Rejection
) -> None:
    assert read_json(payload(body), SUMS, SINGLE) == Batch([], [rejection])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b'{"values":[', "incomplete", id="cut"),
        pytest.param(b'{"values":[]}]', "unexpected_content", id="trailing"),
        pytest.param(b'{"x":' + b"[" * 9999 + b"]" * 9999 + b"}", "too_deep", id="deep"),
        pytest.param(b'{"values":[]},{"values":[]}', "unexpected_content", id="two"),
        pytest.param(b'[{"values":[]}]', "unexpected_content", id="list"),
        pytest.param(b"42", "unexpected_content", id="number"),
    ],
)
def test_what_is_no_single_object_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        read_json(payload(body), SUMS, SINGLE)

    assert unexpected.value.code == code


# ---------------------------------------------------------------- whatever the label says


@given(
    st.one_of(
        st.sampled_from(
            ["utf-16", "utf-32", "iso-2022-jp", "idna", "hex", "punycode", "utf-7", "x"]
        ),
        st.text(max_size=12),
    ),
    st.sampled_from([b"[]", b"[" + GOOD + b"]", b"{}", GOOD.replace(b'"a"', b'"\xe9"'), b"<html>"]),
    st.sampled_from([JsonFormat(), JsonFormat(single=True)]),
)
def test_a_label_that_lies_is_never_a_failure_of_ours(
    charset: str, body: bytes, format: JsonFormat
) -> None:
    answer = payload(body, f"application/json; charset={charset}")

    try:
        batch = read_json(answer, POSTS, format)
    except UnexpectedContent:
        assert body not in (b"[]", b"[" + GOOD + b"]") or format.single
    else:
        assert len(batch.records) + len(batch.rejections) == (body != b"[]")
