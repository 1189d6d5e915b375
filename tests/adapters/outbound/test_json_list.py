"""A list is read as a whole, or else element by element, within bounds."""

from datetime import UTC, datetime

import msgspec
import pytest

from adapters.memory.database import MemoryDatabase
from adapters.memory.politeness import MemoryBudget
from adapters.memory.system import SeededRandom, SteerableClock
from adapters.outbound.json_list import JsonListSource
from adapters.outbound.jsonplaceholder import JsonPlaceholderSource
from adapters.outbound.polite.client import PoliteClient
from domain.builtin.posts import Post
from domain.errors import SourceRefused, UnexpectedContent
from domain.payloads import Batch, Payload
from domain.reports import Rejection
from tests.adapters.outbound.client_fixture import NO_LIMIT

GOOD = b'{"userId":7,"id":1,"title":"a","body":"b"}'


class Reading(msgspec.Struct):
    """An element with something inside it."""

    values: list[dict[str, int]]


class Sum(msgspec.Struct, frozen=True):
    """What becomes of it."""

    total: int


class SumSource(JsonListSource[Reading, Sum]):
    """A second source of this kind: all it takes."""

    name = "sums"
    normaliser_version = "sums-1"
    payload = Reading

    def record(self, element: Reading, payload: Payload) -> Sum:
        total = sum(value for each in element.values for value in each.values())
        if total < 0:
            raise ValueError("a sum is never negative")
        return Sum(total)


@pytest.fixture
def client() -> PoliteClient:
    clock = SteerableClock()
    return PoliteClient(MemoryBudget(MemoryDatabase(), clock, {}, NO_LIMIT), clock, SeededRandom())


@pytest.fixture
def posts(client: PoliteClient) -> JsonPlaceholderSource:
    return JsonPlaceholderSource(client, "https://example.com/posts")


def payload(body: bytes, content_type: str = "application/json") -> Payload:
    received_at = datetime(2026, 1, 1, tzinfo=UTC)
    return Payload(url="", body=body, content_type=content_type, received_at=received_at)


def test_a_sound_list_is_its_records(posts: JsonPlaceholderSource) -> None:
    batch = posts.normalise(payload(b" [" + GOOD + b"]\n"))

    assert batch == Batch([Post(1, 7, "a", "b")])


def test_the_same_payload_always_gives_the_same_batch(posts: JsonPlaceholderSource) -> None:
    body = payload(b"[" + GOOD + b",NaN," + GOOD + b"]")

    assert posts.normalise(body) == posts.normalise(body)


def test_every_bad_element_is_one_rejection_with_its_place(posts: JsonPlaceholderSource) -> None:
    batch = posts.normalise(
        payload(b'[{"userId":"x","id":1,"title":"a","body":"b"},' + GOOD + b",null,{},]")
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
        Rejection("/4", "Input data was truncated", ""),
    ]


def test_a_place_inside_an_element_is_a_json_pointer(client: PoliteClient) -> None:
    source = SumSource(client, "https://example.com/sums")

    batch = source.normalise(payload(b'[{"values":[{"a":1}]},{"values":[{"a":1},{"b":"x"}]}]'))

    assert batch.records == [Sum(1)]
    assert [rejection.pointer for rejection in batch.rejections] == ["/1/values/1"]


def test_a_record_may_be_refused_for_its_meaning(client: PoliteClient) -> None:
    source = SumSource(client, "https://example.com/sums")

    batch = source.normalise(payload(b'[{"values":[{"a":1}]},{"values":[{"a":-1}]}]'))

    assert batch == Batch(
        [Sum(1)], [Rejection("/1", "a sum is never negative", '{"values":[{"a":-1}]}')]
    )


def test_what_is_shown_of_a_bad_record_is_short(posts: JsonPlaceholderSource) -> None:
    (rejection,) = posts.normalise(payload(b'["' + "é".encode() * 10_000 + b'"]')).rejections

    assert rejection.excerpt == '"' + "é" * 199


def test_braces_within_text_are_no_records(posts: JsonPlaceholderSource) -> None:
    element = GOOD.replace(b'"b"', b'"' + b"{" * 1_000_001 + b'"')

    assert len(posts.normalise(payload(b"[" + element + b"]")).records) == 1


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
def test_a_body_that_cannot_be_told_apart_is_refused(
    posts: JsonPlaceholderSource, body: bytes, code: str
) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        posts.normalise(payload(body))

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
        "application/octet-stream",
    ],
)
def test_whatever_may_be_json_is_read(posts: JsonPlaceholderSource, content_type: str) -> None:
    assert posts.normalise(payload(b"[]", content_type)) == Batch([])


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "text/csv", "Text/HTML; charset=utf-8", "application/xml", "image/svg+xml"],
)
def test_whatever_says_it_is_something_else_is_not(
    posts: JsonPlaceholderSource, content_type: str
) -> None:
    with pytest.raises(UnexpectedContent, match="JSON was expected"):
        posts.normalise(payload(b"[]", content_type))


def test_a_source_with_a_bad_address_is_not_even_made(client: PoliteClient) -> None:
    with pytest.raises(SourceRefused, match="plain http or https URL"):
        JsonPlaceholderSource(client, "ftp://example.com/posts")


# ---------------------------------------------------------------- one record, and no list


class OneSumSource(SumSource):
    """An upstream that answers with one element, and no list around it."""

    single = True


@pytest.fixture
def one_sum(client: PoliteClient) -> OneSumSource:
    return OneSumSource(client, "https://example.com/sum")


def test_a_single_object_is_one_record(one_sum: OneSumSource) -> None:
    assert one_sum.normalise(payload(b' {"values":[{"a":1}]}\n')) == Batch([Sum(1)], [])


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
    one_sum: OneSumSource, body: bytes, rejection: Rejection
) -> None:
    assert one_sum.normalise(payload(body)) == Batch([], [rejection])


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
def test_what_is_no_single_object_is_refused(one_sum: OneSumSource, body: bytes, code: str) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        one_sum.normalise(payload(body))

    assert unexpected.value.code == code
