"""The pages of a declared source are walked to their end, whatever leads from one to the next."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import msgspec
import pytest

from adapters.outbound.polite.messages import UpstreamResponse, Wanted
from adapters.outbound.polite.urls import Url
from application.ports.ingest import Ask
from domain.errors import UnexpectedContent
from domain.reports import Traffic
from tests.adapters.outbound.declared.blocks import source_from

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "https://api.example.com/items"
FIELDS = '\nfields = { id = "integer" }'

Answer = tuple[Any, Mapping[str, str]] | int
Serve = Callable[[Mapping[str, str]], Answer]


class ServedPages:
    """A client whose upstream answers by the parameters of a request."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.asked: list[str] = []

    async def get(self, url: Url, *others: Any, wanted: Wanted, **more: Any) -> UpstreamResponse:
        """Answer one request."""
        self.asked.append(urlsplit(url.text).query)
        answer = self._serve(dict(parse_qsl(urlsplit(url.text).query)))
        if isinstance(answer, int):
            assert answer in wanted.statuses
            return UpstreamResponse(url=url.text, status=answer, body=b"", received_at=NOON)
        body, headers = answer
        kept = {n: v for n, v in headers.items() if n in {"link", *wanted.headers}}
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return UpstreamResponse(url=url.text, status=200, body=raw, received_at=NOON, headers=kept)


async def fetched(block: str, serve: Serve, url: str = URL) -> tuple[list[int], list[str]]:
    """Return the identifiers that come, and the queries that were sent."""
    client = ServedPages(serve)
    source = source_from(block, url, client)  # type: ignore[arg-type]
    came = [
        record.id
        async for payload in source.ask(Ask(None, NOON, Traffic()))
        for record in source.normalise(payload).records
    ]
    return came, client.asked


def items(start: int, count: int = 2) -> list[dict[str, int]]:
    return [{"id": number} for number in range(start, start + count)]


def linked(body: Callable[[int, int | None], tuple[Any, Mapping[str, str]]]) -> Serve:
    """Serve five items, two a page, each page with what leads to the next one."""

    def serve(params: Mapping[str, str]) -> Answer:
        start = int(params.get("at", 1))
        return body(start, start + 2 if start < 5 else None)

    return serve


def listed(start: int) -> list[dict[str, int]]:
    return items(start, min(2, 6 - start))


LED: list[tuple[str, Serve]] = [
    (
        'pages = "link"',
        linked(lambda at, to: (listed(at), {"link": f'<?at={to}>; rel="next"'} if to else {})),
    ),
    (
        'pages = { next_header = "X-More" }',
        linked(lambda at, to: (listed(at), {"x-more": f"{URL}?at={to}"} if to else {})),
    ),
    (
        'records = "/d"\npages = { next = "/links/next", total = "/n" }',
        linked(
            lambda at, to: ({"d": listed(at), "n": 5, "links": {"next": to and f"?at={to}"}}, {})
        ),
    ),
    (
        'records = "/d"\npages = { next = "/links" }',
        linked(
            lambda at, to: (
                {
                    "d": listed(at),
                    "links": [{"rel": "self", "href": "x"}]
                    + ([{"rel": "next", "href": f"/items?at={to}"}] if to else []),
                },
                {},
            )
        ),
    ),
    (
        'records = "/d"\npages = { next = "/next" }',
        linked(lambda at, to: ({"d": listed(at), "next": {"href": f"?at={to}"} if to else ""}, {})),
    ),
    (
        'records = "/d"\npages = { token = "/token", send = "at", more = "/more" }',
        linked(lambda at, to: ({"d": listed(at), "token": to or 9, "more": bool(to)}, {})),
    ),
    (
        'records = "/d"\npages = { token = "/token", send = "ignored" }',
        linked(lambda at, to: ({"d": listed(at), "token": {"at": to} if to else None}, {})),
    ),
    (
        'pages = { token_header = "X-Token", send = "at" }',
        linked(lambda at, to: (listed(at), {"x-token": str(to)} if to else {})),
    ),
]


@pytest.mark.parametrize(("block", "serve"), LED)
async def test_what_a_page_leads_to_is_followed_to_the_last_one(block: str, serve: Serve) -> None:
    came, asked = await fetched(block + FIELDS, serve)
    assert came == [1, 2, 3, 4, 5]
    assert [parse_qs(query).get("at") for query in asked] == [None, ["3"], ["5"]]


def counted(name: str, start_of: Callable[[str | None], int], past: Answer) -> Serve:
    def serve(params: Mapping[str, str]) -> Answer:
        assert params["size"] == "2"
        start = start_of(params.get(name))
        return (listed(start), {"x-total": "5", "x-last": "3"}) if start < 6 else past

    return serve


def by_number(text: str | None) -> int:
    return (int(text or 1) - 1) * 2 + 1


@pytest.mark.parametrize(
    ("pages", "serve", "requests"),
    [
        ('{ number = "page" }', counted("page", by_number, ([], {})), 4),
        ('{ number = "page" }', counted("page", by_number, 404), 4),
        ('{ number = "page", total_header = "X-Total" }', counted("page", by_number, 500), 3),
        ('{ number = "page", last_header = "X-Last" }', counted("page", by_number, 500), 3),
        ('{ offset = "skip" }', counted("skip", lambda t: int(t or 0) + 1, 416), 4),
        ('{ after = "/id", send = "a" }', counted("a", lambda t: int(t or 0) + 1, ([], {})), 4),
    ],
)
async def test_pages_that_are_asked_for_come_to_the_last_one(
    pages: str, serve: Serve, requests: int
) -> None:
    came, asked = await fetched(f"params = {{ size = 2 }}\npages = {pages}" + FIELDS, serve)
    assert came == [1, 2, 3, 4, 5]
    assert len(asked) == requests


def test_a_parameter_replaces_the_one_of_its_name() -> None:
    from adapters.outbound.polite.urls import parse

    url = parse("https://h/a?page=1&q=x%20y&empty=#here").with_params({"page": "2"})
    assert url.text == "https://h/a?q=x+y&empty=&page=2"


@pytest.mark.parametrize(
    "body",
    [
        {"d": [{"id": 1}], "next": f"{URL}?page=2"},
        {"d": [{"id": 1}], "meta": {"nextPageToken": "x"}},
        {"d": [{"id": 1}], "links": [{"rel": "next", "href": "/p2"}]},
        {"d": [{"id": 1}], "has_more": True},
        {"d": [{"id": 1}], "total": 2},
        {"d": [{"id": 1}], "pagination": {"total_count": 9}},
    ],
)
async def test_a_page_that_says_there_is_more_is_never_taken_for_all(body: Any) -> None:
    with pytest.raises(UnexpectedContent) as failure:
        await fetched('records = "/d"' + FIELDS, lambda _: (body, {}))
    assert failure.value.code == "more_pages"


@pytest.mark.parametrize(
    "body",
    [
        {"d": [{"id": 1}], "next": None, "previous": "x", "count": 1},
        {"d": [{"id": 1}], "meta": {"nextPageToken": ""}, "has_more": False, "total": "1"},
        {"d": [{"id": 1}], "links": [{"rel": "self", "href": "/p1"}], "size": 3},
        [{"id": 1}],
    ],
)
async def test_a_page_that_says_nothing_of_more_is_all(body: Any) -> None:
    records = 'records = "/d"' if isinstance(body, dict) else ""
    assert await fetched(records + FIELDS, lambda _: (body, {})) == ([1], [""])


async def test_a_link_header_contradicts_a_single_page_too() -> None:
    with pytest.raises(UnexpectedContent) as failure:
        await fetched(FIELDS, lambda _: (items(1), {"link": '<?p=2>; rel="next"'}))
    assert failure.value.code == "more_pages"


async def test_the_first_page_alone_is_fetched_where_that_is_wanted() -> None:
    block = 'pages = "first"' + FIELDS
    headers = {"link": '<?p=2>; rel="next"'}
    assert await fetched(block, lambda _: (items(1), headers)) == ([1, 2], [""])


async def test_a_next_page_on_another_host_is_not_followed() -> None:
    with pytest.raises(UnexpectedContent, match="on another host"):
        await fetched(
            'pages = { next = "/next" }\nrecords = "/d"' + FIELDS,
            lambda _: ({"d": items(1), "next": "https://evil.example/x"}, {}),
        )


async def test_records_are_identified_by_their_key_only() -> None:
    ages = iter(range(100))

    def serve(params: Mapping[str, str]) -> Answer:
        start = min(by_number(params.get("page")), 5)
        return [{**each, "age": next(ages)} for each in listed(start)], {}

    came, asked = await fetched('pages = { number = "page" }' + FIELDS, serve)
    assert sorted(set(came)) == [1, 2, 3, 4, 5]
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("block", "page"),
    [
        ('format = "ndjson"', lambda start: b"\n".join(map(msgspec.json.encode, listed(start)))),
        ('format = "csv"', lambda s: b"id\n" + b"".join(b"%d\n" % e["id"] for e in listed(s))),
        (
            'records = "/m/*"',
            lambda start: {"m": {f"k{each['id']}": each for each in listed(start)}},
        ),
        (
            'records = "/r"\ncolumns = "/c"',
            lambda start: {"c": ["id"], "r": [[each["id"]] for each in listed(start)]},
        ),
    ],
)
async def test_every_format_has_pages(block: str, page: Callable[[int], Any]) -> None:
    def serve(params: Mapping[str, str]) -> Answer:
        start = by_number(params.get("page"))
        return (page(start), {"x-last": "3", "content-length": "1"})

    pages = 'pages = { number = "page", last_header = "X-Last" }'
    assert (await fetched(f"{block}\n{pages}{FIELDS}", serve))[0] == [1, 2, 3, 4, 5]


async def test_a_body_that_is_no_json_fails_when_it_is_read() -> None:
    with pytest.raises(UnexpectedContent, match="an HTML page"):
        await fetched('pages = "link"' + FIELDS, lambda _: (b"<html>no</html>", {}))


async def test_a_page_arrives_before_anything_is_read_from_it() -> None:
    body = {"d": [{"id": 1}], "next": f"{URL}?page=2"}
    client = ServedPages(lambda _: (body, {}))
    source = source_from('records = "/d"' + FIELDS, URL, client)  # type: ignore[arg-type]
    pages = source.ask(Ask(None, NOON, Traffic()))

    assert msgspec.json.decode((await anext(pages)).body) == body
    with pytest.raises(UnexpectedContent, match="next page"):
        await anext(pages)
