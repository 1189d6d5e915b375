"""Equivalent queries have the same answer and ETag, and different ones do not."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http.datasets.query_string import read_query, takes_list
from adapters.http.protocol.cursors import CursorSigner
from adapters.http.protocol.query_params import parameters_of
from domain.fields import Field
from domain.filters import Condition, Filter, Operator
from tests.adapters.http.http_fixture import GAUGES, HttpFixture, ids, parameter_of, problem
from tests.strategies import conditions, values_of

SIGNER = CursorSigner(b"a secret of the tests, 32 bytes long")

# ---------------------------------------------------------------- lists


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("user_id__in=1&user_id__in=2", range(1, 21)),
        ("user_id__in=2&user_id__in=1,2", range(1, 21)),
        ("user_id__in[]=1&user_id__in[]=2", range(1, 21)),
        ("user_id__in%5B%5D=1&user_id__in=2", range(1, 21)),
        ("user_id__in=1, 2", range(1, 21)),
        ("user_id__nin=1&user_id__nin=2&id__lt=22", [21]),
        ("id__between=5&id__between=7", [5, 6, 7]),
        ("title__in=title 1&title__in= title 2 ", [1, 2]),
    ],
)
async def test_a_list_may_come_as_one_parameter_or_several(
    client: httpx.AsyncClient, query: str, expected: Any
) -> None:
    answer = await client.get(f"/data?{query}&sort=id")

    assert ids(answer) == list(expected)


async def test_sort_and_fields_are_lists_as_well(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?sort=-user_id&sort=id&fields=title&fields=user_id&limit=1")

    assert answer.json()["data"] == [{"id": 91, "user_id": 10, "title": "title 91"}]


async def test_the_fields_of_one_record_are_a_list_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/posts/7?fields=title&fields=user_id")

    assert answer.json()["data"] == {"id": 7, "user_id": 1, "title": "title 7"}


async def test_as_many_values_come_one_by_one_as_in_one_list(client: httpx.AsyncClient) -> None:
    at_most = await client.get("/data", params={"id__in": [str(n) for n in range(1, 201)]})
    too_many = await client.get("/data", params={"id__in": [str(n) for n in range(1, 202)]})

    assert len(ids(at_most)) == 100
    assert parameter_of(problem(too_many, 422, "invalid_value")) == "id__in"


async def test_the_next_page_has_the_whole_list(client: httpx.AsyncClient) -> None:
    first = await client.get("/data?user_id__in=1&user_id__in=2&limit=15&sort=id")

    second = await client.get(first.links["next"]["url"])

    assert ids(second) == list(range(16, 21))


@pytest.mark.parametrize("name", ["user_id", "user_id[]", "limit", "offset[]", "title__contains"])
async def test_what_is_no_list_does_not_come_twice(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/data?{name}=1&{name}=1")

    problem(answer, 400, "malformed_query")


# ---------------------------------------------------------------- parameters without effect

EMPTY = ("sort", "fields", "limit", "offset", "cursor", "count", "format")
EMPTY = (*EMPTY, "bom", "delimiter", "guard")


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("path", ["/data", "/tasks"])
@pytest.mark.usefixtures("fixture")
async def test_a_control_word_without_a_value_was_left_out(
    client: httpx.AsyncClient, path: str, name: str
) -> None:
    plain, empty = await client.get(path), await client.get(f"{path}?{name}=")

    assert empty.status_code == 200
    assert empty.headers.get("etag") == plain.headers.get("etag")
    assert empty.json()["data"] == plain.json()["data"]


async def test_an_empty_control_word_counts_as_absent_in_other_lists(
    client: httpx.AsyncClient,
) -> None:
    plain = (await client.get("/fetch/jobs")).json()
    empty = (await client.get("/fetch/jobs?limit=&cursor=")).json()

    assert (empty["data"], empty["page"]) == (plain["data"], plain["page"])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("GET /fetch/jobs?dataset=", 404, "unknown_dataset"),
        ("GET /fetch/jobs?status=", 422, "invalid_value"),
        ("POST /fetch?mode=", 422, "invalid_value"),
        ("POST /fetch?force=", 422, "invalid_value"),
    ],
)
async def test_nothing_wider_is_done_because_a_value_is_missing(
    client: httpx.AsyncClient, query: str, status: int, code: str
) -> None:
    problem(await client.request(*query.split()), status, code)


@pytest.mark.usefixtures("fixture")
async def test_true_may_be_spelled_as_python_does_elsewhere(client: httpx.AsyncClient) -> None:
    problem(await client.post("/fetch?force=True"), 401, "login_required")
    assert (await client.post("/fetch?force=FALSE")).status_code == 200


def defaults(document: dict[str, Any], path: str) -> dict[str, str]:
    """Return the defaults that a generated client sends."""
    listed = document["paths"][path]["get"]["parameters"]
    given = {p["name"]: p["schema"]["default"] for p in listed if "default" in p["schema"]}
    return {n: ",".join(v) if isinstance(v, list) else str(v) for n, v in given.items()}


@pytest.mark.parametrize("path", ["/data", "/data/gauges", "/tasks"])
@pytest.mark.parametrize("format", ["json", "csv", "ndjson"])
async def test_the_document_s_own_defaults_change_nothing(
    client: httpx.AsyncClient, path: str, format: str
) -> None:
    given = defaults((await client.get("/openapi.json")).json(), path)

    plain = await client.get(path, params={"format": format})
    answer = await client.get(path, params={**given, "format": format})

    assert {"offset", "count", "sort"} <= given.keys()
    assert "limit" not in given
    assert answer.status_code == 200
    assert answer.headers.get("etag") == plain.headers.get("etag")
    if format != "json":
        assert answer.content == plain.content


async def test_the_document_s_own_defaults_go_with_a_cursor(client: httpx.AsyncClient) -> None:
    given = defaults((await client.get("/openapi.json")).json(), "/data")
    first = (await client.get("/data", params={**given, "limit": 60})).json()

    second = await client.get(
        "/data", params={**given, "limit": 60, "cursor": first["page"]["next_cursor"]}
    )

    assert ids(second) == list(range(61, 101))


@pytest.mark.parametrize(
    "extra", ["offset=0&count=none&limit=100", "limit=100&bom=false&delimiter=comma&guard=true"]
)
async def test_what_a_page_would_have_by_default_is_no_error_in_an_export(
    client: httpx.AsyncClient, extra: str
) -> None:
    answer = await client.get(f"/data?format=csv&fields=id&{extra}")

    assert answer.text.split() == ["id", *map(str, range(1, 101))]


# ---------------------------------------------------------------- the count only


@pytest.mark.parametrize("counting", ["exact", "bounded"])
async def test_a_limit_of_zero_asks_for_the_count_alone(
    client: httpx.AsyncClient, counting: str
) -> None:
    answer = await client.get(f"/data?limit=0&count={counting}&user_id=1")

    body = answer.json()
    assert (body["data"], body["count"]) == ([], 0)
    assert (body["page"]["limit"], body["page"]["total"]) == (0, 10)
    assert (body["page"]["has_more"], body["page"]["next_cursor"]) == (False, None)
    assert "link" not in answer.headers


# ---------------------------------------------------------------- keys with a slash


@pytest.mark.parametrize("key", ["a/b/1", "a%2Fb/1"])
async def test_the_filter_for_a_key_with_a_slash_is_named(fixture: HttpFixture, key: str) -> None:
    answer = await fixture.client.get(f"/data/gauges/{key}")

    detail = problem(answer, 404, "unknown_record")["detail"]
    assert detail.endswith("use /data/gauges?station__eq={station}&number__eq={number}")


async def test_a_key_that_cannot_hold_a_slash_has_no_such_advice(
    client: httpx.AsyncClient,
) -> None:
    assert "slash" not in (await client.get("/data/posts/1/2")).json()["detail"]


# ---------------------------------------------------------------- equal and different queries


def few_values(field: Field) -> st.SearchStrategy[Any]:
    """Return the values of a field, only two for numbers, so that many conditions are equal."""
    return st.sampled_from([1, 2]) if field.name == "number" else values_of(field)


ASKED = [GAUGES.fields[name] for name in ("number", "level", "state", "body")]


CONTROLS: dict[str, list[list[str]]] = {
    "sort": [["", "sort=", "sort=station", "sort= station,"], ["sort=-level", "sort[]=-level"]],
    "fields": [
        ["", "fields=", f"fields={','.join(GAUGES.fields)}"],
        ["fields=body&fields=level", "fields=level, body", "fields[]=number,body,level"],
    ],
    "limit": [["", "limit=", "limit=100"], ["limit=0"], ["limit=7", "limit=007"]],
    "offset": [["", "offset=0"], ["offset=3"]],
    "count": [["", "count=none"], ["count=exact"]],
    "format": [["", "format=", "format=json", "bom=False", "guard=true"]],
}
Question = tuple[Filter, tuple[int, ...]]
queries: st.SearchStrategy[Question] = st.tuples(
    st.lists(
        conditions(ASKED, few_values, longest_list=3), max_size=2, unique_by=lambda c: c.name
    ).map(lambda some: Filter(tuple(some))),
    st.tuples(*(st.integers(0, len(ways) - 1) for ways in CONTROLS.values())),
)


def written(draw: st.DataObject, query: Question) -> str:
    """Return one of the query strings that mean this query."""
    filter, choices = query
    parts = [
        draw.draw(st.sampled_from(ways[choice]))
        for ways, choice in zip(CONTROLS.values(), choices, strict=True)
    ]
    for condition in filter.conditions:
        texts = [condition.text]
        if condition.operator in (Operator.IN, Operator.NIN):
            values = draw.draw(st.permutations(condition.value))
            one_each = (Condition(condition.field, condition.operator, (v,)) for v in values)
            texts = [each.text for each in one_each]
        parts += [f"{condition.name}={quote_plus(text)}" for text in texts]
    return "&".join(part for part in draw.draw(st.permutations(parts)) if part)


def meaning(query: Question) -> Any:
    """Return the meaning of a query, for comparison."""
    filter, choices = query
    listed = (Operator.IN, Operator.NIN)
    return choices, {
        (c.field.name, c.operator, frozenset(c.value) if c.operator in listed else c.value)
        for c in filter.conditions
    }


def canonical(query: str) -> Any:
    return read_query(GAUGES, parameters_of(query.encode(), takes_list), SIGNER).canonical


@given(st.data(), queries, queries)
def test_questions_have_one_canonical_form_if_and_only_if_they_are_equal(
    data: st.DataObject, one: Question, other: Question
) -> None:
    first, second = canonical(written(data, one)), canonical(written(data, other))

    assert canonical(written(data, one)) == first
    assert (first == second) is (meaning(one) == meaning(other))


Ask = Callable[[str], httpx.Response]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Yield a function that sends requests to one application with a cache."""
    with asyncio.Runner() as runner:
        fixture = HttpFixture()
        yield lambda url: runner.run(fixture.client.get(url))


@settings(max_examples=60)
@given(st.data(), queries, queries)
def test_tags_and_kept_answers_are_those_of_the_question(
    ask: Ask, data: st.DataObject, one: Question, other: Question
) -> None:
    first = ask(f"/data/gauges?{written(data, one)}")
    second = ask(f"/data/gauges?{written(data, other)}")
    again = ask(f"/data/gauges?{written(data, one)}")

    assert first.status_code == second.status_code == 200
    assert again.headers["etag"] == first.headers["etag"]
    assert again.json()["page"] == first.json()["page"]
    assert (first.headers["etag"] == second.headers["etag"]) is (meaning(one) == meaning(other))


WRITTEN = [
    "format=csv",
    "format=csv&bom=true",
    "format=csv&delimiter=tab",
    "format=csv&guard=false",
]
WRITTEN += ["format=csv&limit=1", "format=csv&limit=0", "format=ndjson", "format=ndjson&limit=1"]
WRITTEN += ["format=json", "format=json&limit=0", "format=csv&limit=100", "format=csv&fields=id"]


async def test_exports_that_differ_have_tags_that_differ(client: httpx.AsyncClient) -> None:
    tags = {w: (await client.head(f"/data?{w}")).headers["etag"] for w in WRITTEN}

    for one, other in product(WRITTEN, WRITTEN):
        assert (tags[one] == tags[other]) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("format=ndjson", "format=jsonl&offset=0&count=none"),
        ("format=csv", "format=csv&bom=FALSE&delimiter=,&guard=True&limit="),
        ("format=csv&delimiter=tab", "format=csv&delimiter=%09"),
    ],
)
async def test_exports_that_are_equal_have_one_tag(
    client: httpx.AsyncClient, one: str, other: str
) -> None:
    first, second = await client.head(f"/data?{one}"), await client.head(f"/data?{other}")

    assert first.headers["etag"] == second.headers["etag"]


async def test_a_cursor_goes_on_with_the_same_question_in_other_words(
    client: httpx.AsyncClient,
) -> None:
    first = (await client.get("/data?user_id__in=1,2&limit=15")).json()

    second = await client.get(
        f"/data?sort=&user_id__in[]=2&user_id__in=1&cursor={first['page']['next_cursor']}"
    )

    assert ids(second) == list(range(16, 21))
