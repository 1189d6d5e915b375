"""Suggestions: proven by a second page, asked about where they are not sure, never silent."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.memory.datasets import MemoryUpstream
from application.datasets.suggest import MOST_REQUESTS, Suggest, Suggestion
from domain.errors import InvalidInput, UnexpectedContent
from domain.guessed_pages import FirstAnswer
from domain.looks import Look

URL = "https://api.example.com/items"


def items(count: int, start: int = 1) -> list[dict[str, Any]]:
    return [{"id": n, "name": f"name {n}"} for n in range(start, start + count)]


def paged(url: str, params: Mapping[str, str]) -> Any:
    """Answer two pages of 25 with the URL of the second in the first."""
    if "page=2" in url or params.get("page") == "2":
        return {"results": items(25, 26), "next": None}
    return {"results": items(25), "next": "?page=2"}


def refusing(url: str, params: Mapping[str, str]) -> Any:
    if params:
        raise UnexpectedContent("no such page")
    return items(50)


async def suggested(answer: Any, url: str = URL, **given: Any) -> tuple[Suggestion, MemoryUpstream]:
    upstream = MemoryUpstream(answer)
    found = await Suggest(upstream)(url, **given)
    assert found.requests == len(upstream.asked) <= MOST_REQUESTS
    return found, upstream


def options(found: Suggestion) -> list[str]:
    return [question.option for question in found.questions]


async def test_a_way_to_the_next_page_is_proven_by_other_records() -> None:
    found, upstream = await suggested(paged)
    assert found.pages == {"next": "/next"}
    assert found.evidence[1] == "/next is a URL; the second page has 25 other records"
    assert found.key == ("id",)
    assert options(found) == []
    assert upstream.asked == [(URL, {}), (f"{URL}?page=2", {})]


async def test_fields_are_guessed_from_both_pages() -> None:
    def answer(url: str, params: Mapping[str, str]) -> Any:
        body = paged(url, params)
        if not body["next"]:
            body["results"][0] |= {"name": None, "extra": 1}
        return body

    found, _ = await suggested(answer)
    kinds = {field.name: (field.type, field.nullable) for field in found.fields.fields}
    assert kinds == {
        "id": ("integer", False),
        "name": ("string", True),
        "extra": ("integer", True),
    }


async def test_a_count_that_says_all_came_asks_no_second_time() -> None:
    found, upstream = await suggested(lambda *_: {"data": items(50), "total": 50})
    assert (found.pages, found.evidence[1]) == (None, "all 50 announced records came")
    assert len(upstream.asked) == 1
    assert options(found) == []


async def test_a_count_above_what_came_is_refused_where_no_page_is_found() -> None:
    with pytest.raises(InvalidInput, match="250 are announced, 50 came, no way to the others"):
        await suggested(lambda *_: {"data": items(50), "total": 250})


async def test_a_page_that_comes_again_proves_nothing_and_is_asked_about() -> None:
    found, upstream = await suggested(lambda *_: items(50))
    assert found.pages is None
    assert options(found) == ['--pages none, or --pages "SPEC"']
    assert len(upstream.asked) == MOST_REQUESTS


async def test_a_page_that_is_refused_proves_nothing() -> None:
    found, _ = await suggested(refusing)
    assert options(found) == ['--pages none, or --pages "SPEC"']


async def test_a_number_that_is_not_round_and_nothing_else_is_all() -> None:
    found, _ = await suggested(lambda *_: items(23))
    assert (found.pages, options(found)) == (None, [])


async def test_a_link_in_a_header_is_followed() -> None:
    def answer(url: str, params: Mapping[str, str]) -> Any:
        link = f"{URL}?p=2" if url == URL else None
        body = items(25, 1 if link else 26)
        return Look(answer=FirstAnswer(url=url, next_link=link, body=body), format="json")

    found, _ = await suggested(answer)
    assert found.pages == "link"


async def test_a_header_with_a_url_is_followed() -> None:
    def answer(url: str, params: Mapping[str, str]) -> Any:
        headers = {"x-next": f"{URL}?p=2"} if url == URL else {}
        body = items(25, 1 if headers else 26)
        return Look(answer=FirstAnswer(url=url, headers=headers, body=body), format="json")

    found, _ = await suggested(answer)
    assert found.pages == {"next_header": "x-next"}


@pytest.mark.parametrize(
    "links", [[{"rel": "next", "href": "?page=2"}], {"next": {"url": "?page=2"}}]
)
async def test_links_of_a_body_are_followed(links: Any) -> None:
    def answer(url: str, params: Mapping[str, str]) -> Any:
        is_second = "page=2" in url
        return {"d": items(25, 26 if is_second else 1), "links": [] if is_second else links}

    found, _ = await suggested(answer)
    assert found.pages is not None
    assert options(found) == []


async def test_what_is_given_is_not_guessed() -> None:
    body = {"a": items(3), "b": {"x": items(30, 100)}}
    found, upstream = await suggested(
        lambda *_: body, records="/b/x", key=["name"], pages={"number": "page"}
    )
    assert str(found.records.pointer) == "/b/x"
    assert found.records.sure
    assert (found.key, found.pages) == (("name",), {"number": "page"})
    assert (options(found), len(upstream.asked)) == ([], 1)


@pytest.mark.parametrize(
    ("pointer", "count"), [("/a", 3), ("", 1), ("/b", 1), ("/b/x/*/id", 2), ("/b/x", 2)]
)
async def test_records_may_be_anywhere_that_is_named(pointer: str, count: int) -> None:
    body = {"a": items(3), "b": {"x": items(2)}}
    found, _ = await suggested(lambda *_: body, records=pointer, pages="none")
    assert len(found.records.elements) == count


@pytest.mark.parametrize("pointer", ["/c", "/a/0/id", "/empty"])
async def test_a_place_without_records_is_refused(pointer: str) -> None:
    with pytest.raises(InvalidInput, match="no records at"):
        await suggested(lambda *_: {"a": items(3), "empty": []}, records=pointer)


async def test_an_answer_without_records_is_refused() -> None:
    with pytest.raises(InvalidInput, match="ask again when there is a record"):
        await suggested(lambda *_: [])


async def test_two_lists_a_doubtful_key_and_a_part_are_asked_about() -> None:
    body = {"a": items(3), "b": items(2), "c": items(2)}
    found, _ = await suggested(lambda *_: body, url=f"{URL}?updated_since=1")
    assert options(found) == ['--records "/a"', "--yes", "--key id"]
    one = {"a": 1, "b": [{"x": 1}]}
    whole, _ = await suggested(lambda *_: one, records="")
    assert options(whole) == ["--key a"]


async def test_a_key_that_no_field_can_be_is_asked_for() -> None:
    found, _ = await suggested(lambda *_: [{"a": 1}, {"a": 1}])
    assert options(found) == ["--key FIELD,FIELD"]
    assert found.key == ()
