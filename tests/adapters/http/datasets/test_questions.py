"""The parameters of `GET /data`: filters, order, fields and paging."""

from typing import Any

import httpx
import pytest

from tests.adapters.http.http_fixture import (
    GAUGES,
    HttpFixture,
    gauge,
    ids,
    parameter_of,
    posts,
    problem,
)

# ---------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("user_id=1", list(range(1, 11))),
        ("user_id__eq=1&id__lt=4", [1, 2, 3]),
        ("id__ne=1&id__lte=3", [2, 3]),
        ("id__gt=98", [99, 100]),
        ("id__gte=98", [98, 99, 100]),
        ("id__in=3,1,2000", [1, 3]),
        ("id__nin=1,2&user_id=1", list(range(3, 11))),
        ("id__between=5,7", [5, 6, 7]),
        ("title=title%2042", [42]),
        ("title=title+42", [42]),
        ("title__contains=99", [99]),
        ("title__icontains=TITLE%209&id__gt=90", list(range(91, 100))),
        ("title__startswith=title%201&id__lt=12", [1, 10, 11]),
        ("_changed_at__gt=2026-01-01T00:01:01Z", []),
        ("_changed_at__lte=2026-01-01T01:01:01%2B01:00&id=5", [5]),
        ("_changed_at__gt=2026-01-01T00:00:59.123456789Z&id=5", [5]),
        ("_changed_at__lte=2026-01-01+00:01:01%2B0000&id=5", [5]),
        ("title__lt=title%2010", [1]),
    ],
)
async def test_posts_are_narrowed_by_every_operator_that_fits(
    client: httpx.AsyncClient, query: str, expected: list[int]
) -> None:
    answer = await client.get(f"/data?{query}&sort=id")

    assert ids(answer) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("level=1.5", [("north", 1)]),
        ("level__lt=0", [("south", 1)]),
        ("level__between=-3e0,2", [("north", 1), ("south", 1)]),
        ("level__isnull=true", [("north", 3)]),
        ("level__isnull=false&station=south", [("south", 1)]),
        ("level__ne=1.5&station=north", [("north", 2), ("north", 3)]),
        ("open=true", [("north", 1)]),
        ("open__ne=true&station=north", [("north", 2), ("north", 3)]),
        ("state=wet", [("north", 2)]),
        ("state__in=wet,dry", [("north", 1), ("north", 2)]),
        ("state__nin=wet,dry", [("north", 3), ("south", 1)]),
        ("seen_at__gte=2026-01-01T11:00:00-01:00", [("north", 3)]),
        ("notes=a", [("north", 1), ("north", 2)]),
        ("notes__has=b,c", [("north", 1)]),
        ("body__in=gamma\\, delta,alpha", [("north", 1), ("north", 3)]),
        ("body__contains=%25 of_", [("south", 1)]),
        ("body__contains=%25%25", []),
        ("body__icontains=BETA", [("north", 2)]),
        ("body__contains=BETA", []),
        ("limit__eq=3", [("north", 3)]),
        ("limit__gte=2", [("north", 2), ("north", 3)]),
        ("sort__eq=a sort&number=3", [("north", 3)]),
        ("request==1%2B1", [("south", 1)]),
        ("request=%3D1%2B1", [("south", 1)]),
    ],
)
async def test_fields_of_every_type_are_filtered_as_their_type(
    client: httpx.AsyncClient, query: str, expected: list[tuple[str, int]]
) -> None:
    answer = await client.get(f"/data/gauges?{query}")

    assert answer.status_code == 200, answer.text
    assert [(r["station"], r["number"]) for r in answer.json()["data"]] == expected


async def test_conditions_are_all_met_at_once(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/posts?user_id=3&id__gt=25&title__contains=7")

    assert ids(answer) == [27]


async def test_a_control_word_never_hides_a_field_of_that_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/gauges?limit=1&limit__eq=2")

    assert [record["limit"] for record in answer.json()["data"]] == [2]
    assert answer.json()["page"]["limit"] == 1


async def test_text_that_upstreams_have_spoiled_can_still_be_searched_for(
    fixture: HttpFixture,
) -> None:
    await fixture.bring([gauge(7, body="na\ufffdve")], GAUGES)

    answer = await fixture.client.get("/data/gauges?body__contains=%EF%BF%BD")

    assert [record["number"] for record in answer.json()["data"]] == [7]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("colour=red", "colour"),
        ("user_id__like=1", "user_id__like"),
        ("user_id__contains=1", "user_id__contains"),
        ("user_id__isnull=true", "user_id__isnull"),
        ("user_id__=1", "user_id__"),
        ("user_id__eq__eq=1", "user_id__eq__eq"),
        ("__eq=1", "__eq"),
        ("id.eq=1", "id.eq"),
        ("LIMIT=1", "LIMIT"),
    ],
)
async def test_an_unknown_parameter_or_operator_is_named_with_what_is_allowed(
    client: httpx.AsyncClient, query: str, parameter: str
) -> None:
    answer = await client.get(f"/data?{query}")

    body = problem(answer, 400, "unknown_parameter")
    assert parameter_of(body) == parameter
    assert "user_id" in body["detail"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("user_id=one", "user_id"),
        ("user_id=", "user_id"),
        ("user_id=1.0", "user_id"),
        ("user_id=+1", "user_id"),
        ("user_id= 1", "user_id"),
        ("user_id=0x10", "user_id"),
        ("user_id__in=1,,2", "user_id__in"),
        ("user_id__between=1", "user_id__between"),
        ("user_id__between=1,2,3", "user_id__between"),
        ("id=9223372036854775808", "id"),
        ("_changed_at__gt=2026-02-30", "_changed_at__gt"),
        ("_changed_at__gt=2026-01", "_changed_at__gt"),
        ("_changed_at__gt=2026-01-01T00:00:00", "_changed_at__gt"),
        ("_changed_at__gt=2026-02-30T00:00:00Z", "_changed_at__gt"),
        ("_changed_at__gt=0001-01-01T00:00:00%2B14:00", "_changed_at__gt"),
    ],
)
async def test_a_value_that_does_not_parse_is_refused_by_name(
    client: httpx.AsyncClient, query: str, parameter: str
) -> None:
    answer = await client.get(f"/data?{query}")

    assert parameter_of(problem(answer, 422, "invalid_value")) == parameter


async def test_a_plus_sign_that_was_not_escaped_is_what_is_advised_about(
    client: httpx.AsyncClient,
) -> None:
    lost = await client.get("/data?_changed_at__gt=2026-01-01T00:00:00+01:00")
    other = await client.get("/data?_changed_at__gt=yesterday")

    assert "(write + as %2B)" in problem(lost, 422, "invalid_value")["detail"]
    assert "%2B" not in problem(other, 422, "invalid_value")["detail"]


@pytest.mark.parametrize(
    "query",
    ["level=NaN", "level=inf", "level=1e999", "level=1,5", "open=1", "open=yes", "state=damp"],
)
async def test_a_value_outside_its_type_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/data/gauges?{query}")

    assert parameter_of(problem(answer, 422, "invalid_value")) == query.partition("=")[0]


@pytest.mark.parametrize(
    "query",
    [
        "user_id=1&user_id=2",
        "limit=1&limit=1",
        "cursor=&cursor=",
        "title__contains=a&title__contains=a",
        "user_id=1&user%5Fid=2",
    ],
)
async def test_a_parameter_given_twice_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/data?{query}")

    assert "twice" in problem(answer, 400, "malformed_query")["detail"]


async def test_a_query_has_at_most_twenty_conditions(client: httpx.AsyncClient) -> None:
    names = [
        f"{field}__{operator}"
        for field in ("id", "user_id")
        for operator in ("eq", "ne", "lt", "lte", "gt", "gte")
    ]
    names += [f"title__{operator}" for operator in ("eq", "ne", "lt", "lte", "gt", "gte")]
    names += ["body__contains", "body__icontains", "body__startswith"]
    allowed = "&".join(f"{name}=1" for name in names[:20])
    one_more = "&".join(f"{name}=1" for name in names)

    at_most = await client.get(f"/data?{allowed}")
    too_many = await client.get(f"/data?{one_more}")

    assert at_most.status_code == 200
    problem(too_many, 400, "malformed_query")


async def test_a_list_has_at_most_two_hundred_values(client: httpx.AsyncClient) -> None:
    at_most = await client.get("/data?id__in=" + ",".join(map(str, range(1, 201))))
    too_many = await client.get("/data?id__in=" + ",".join(map(str, range(1, 202))))

    assert len(ids(at_most)) == 100
    assert parameter_of(problem(too_many, 422, "invalid_value")) == "id__in"


# ---------------------------------------------------------------- order


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-id", [100, 99, 98]),
        ("-user_id,id", [91, 92, 93]),
        ("-user_id", [100, 99, 98]),
        ("title", [1, 10, 100]),
        ("", [1, 2, 3]),
    ],
)
async def test_records_come_in_the_order_asked_for_with_the_key_as_tie_breaker(
    client: httpx.AsyncClient, sort: str, expected: list[int]
) -> None:
    answer = await client.get(f"/data?sort={sort}&limit=3")

    assert ids(answer) == expected


@pytest.mark.parametrize("sort", ["level", "-level"])
async def test_missing_values_come_last_in_both_directions(
    client: httpx.AsyncClient, sort: str
) -> None:
    answer = await client.get(f"/data/gauges?sort={sort}")

    assert answer.json()["data"][-1]["level"] is None


@pytest.mark.parametrize(
    ("sort", "named"),
    [("colour", "colour"), ("--id", "-id"), ("id;drop", "id;drop"), ("id desc", "id desc")],
)
async def test_an_unknown_sort_field_is_named_with_what_is_allowed(
    client: httpx.AsyncClient, sort: str, named: str
) -> None:
    answer = await client.get("/data", params={"sort": sort})

    body = problem(answer, 400, "unknown_parameter")
    assert parameter_of(body) == "sort"
    assert repr(named) in body["detail"]
    assert "user_id" in body["detail"]


async def test_a_list_field_cannot_be_sorted_by(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/gauges?sort=notes")

    problem(answer, 400, "unknown_parameter")


@pytest.mark.parametrize("sort", ["id,id", "id,-id", ",".join(["user_id"] * 900)])
async def test_sorting_twice_by_one_field_is_refused(client: httpx.AsyncClient, sort: str) -> None:
    answer = await client.get(f"/data?sort={sort}")

    assert parameter_of(problem(answer, 400, "malformed_query")) == "sort"


# ---------------------------------------------------------------- fields


async def test_only_the_fields_asked_for_are_shown_and_always_the_key(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/data?fields=title&limit=1")

    assert answer.json()["data"] == [{"id": 1, "title": "title 1"}]


async def test_fields_come_in_the_record_s_order(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?fields=_changed_at,body,id&limit=1")

    assert list(answer.json()["data"][0]) == ["id", "body", "_changed_at"]


async def test_the_key_alone_can_be_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?fields=id&limit=2")

    assert answer.json()["data"] == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("fields", ["colour", "id,title,colour", "*"])
async def test_an_unknown_field_is_refused_with_what_there_is(
    client: httpx.AsyncClient, fields: str
) -> None:
    answer = await client.get("/data", params={"fields": fields})

    body = problem(answer, 400, "unknown_parameter")
    assert parameter_of(body) == "fields"
    assert "user_id" in body["detail"]


async def test_every_record_carries_when_it_last_changed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data?limit=1")

    assert answer.json()["data"] == [
        {
            "id": 1,
            "user_id": 1,
            "title": "title 1",
            "body": "body 1",
            "_changed_at": "2026-01-01T00:01:01Z",
        }
    ]


# ---------------------------------------------------------------- paging and counting


async def test_a_plain_page_shows_all_of_jsonplaceholder(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data")

    assert ids(answer) == list(range(1, 101))
    assert answer.json()["page"]["has_more"] is False


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=2&offset=0", [1, 2]),
        ("limit=2&offset=98", [99, 100]),
        ("limit=2&offset=99", [100]),
        ("offset=10000", []),
        ("limit=500", list(range(1, 101))),
    ],
)
async def test_limit_and_offset_cut_out_a_page(
    client: httpx.AsyncClient, query: str, expected: list[int]
) -> None:
    answer = await client.get(f"/data?{query}")

    assert ids(answer) == expected


@pytest.mark.parametrize(
    "query",
    ["limit=501", "offset=10001", "offset=-1", "count=yes", "format=xml", "format=JSON"],
)
async def test_a_control_outside_its_range_is_refused_by_name(
    client: httpx.AsyncClient, query: str
) -> None:
    answer = await client.get(f"/data?{query}")

    assert parameter_of(problem(answer, 422, "invalid_value")) == query.partition("=")[0]


@pytest.mark.parametrize(
    ("query", "total", "relation"),
    [
        ("count=none", None, None),
        ("count=exact", 100, "eq"),
        ("count=bounded", 100, "eq"),
        ("count=exact&user_id=1", 10, "eq"),
        ("count=exact&user_id=99", 0, "eq"),
    ],
)
async def test_all_that_match_are_counted_on_request(
    client: httpx.AsyncClient, query: str, total: int | None, relation: str | None
) -> None:
    answer = await client.get(f"/data?limit=1&{query}")

    page: dict[str, Any] = answer.json()["page"]
    assert (page["total"], page["total_relation"]) == (total, relation)


async def test_a_bounded_count_stops_at_ten_thousand(empty: HttpFixture) -> None:
    await empty.bring(posts(10_001))

    bounded = await empty.client.get("/data?limit=1&count=bounded")
    exact = await empty.client.get("/data?limit=1&count=exact")

    assert bounded.json()["page"]["total"] == 10_000
    assert bounded.json()["page"]["total_relation"] == "gte"
    assert exact.json()["page"]["total"] == 10_001
    assert exact.json()["page"]["total_relation"] == "eq"


# ---------------------------------------------------------------- one record


async def test_one_record_is_found_by_its_key(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/posts/42")

    assert answer.status_code == 200
    assert answer.json()["data"]["title"] == "title 42"


async def test_a_composite_key_has_a_path_segment_for_each_field(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/gauges/south/1")

    assert answer.json()["data"]["state"] == "-frozen"


async def test_one_record_can_be_narrowed_to_some_fields(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/posts/42?fields=title")

    assert answer.json()["data"] == {"id": 42, "title": "title 42"}


@pytest.mark.parametrize(
    "path",
    ["posts/101", "posts/-1", "posts/one", "posts/1.0", "posts/1/2", "gauges/north", "gauges/x/1"],
)
async def test_what_is_no_key_of_a_record_is_not_found(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(f"/data/{path}")

    problem(answer, 404, "unknown_record")


async def test_one_record_takes_no_filters(client: httpx.AsyncClient) -> None:
    answer = await client.get("/data/posts/42?user_id=1")

    assert parameter_of(problem(answer, 400, "unknown_parameter")) == "user_id"


async def test_an_unknown_dataset_is_not_found_and_the_known_ones_are_named(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/data/comments")

    detail = problem(answer, 404, "unknown_dataset")["detail"]
    assert detail == "no dataset has that name; the datasets are: posts, gauges"


async def test_the_default_dataset_can_be_another() -> None:
    fixture = HttpFixture(default_dataset="gauges")
    await fixture.bring([gauge(9)], GAUGES)

    answer = await fixture.client.get("/data")

    assert answer.json()["meta"]["dataset"] == "gauges"
