"""Walks over model upstreams: all records come, or the walk fails; a first page is never all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import UnexpectedContent
from domain.pages import (
    After,
    FirstPage,
    LinkHeader,
    NextHeader,
    NextMember,
    NoPages,
    Number,
    Offset,
    Pages,
    Paginator,
    Token,
)
from domain.pointers import Pointer
from domain.walks import End, NextParams, NextUrl, Page, Step, Walk

URL = "https://api.example.com/items"
LED: list[Paginator] = [
    LinkHeader(),
    NextHeader("X-More"),
    NextMember(Pointer(("next",))),
    Token("token", Pointer(("next_token",))),
]
COUNTED: list[Paginator] = [
    Number("page"),
    Number("page", 0),
    Offset("offset"),
    After(Pointer(("id",)), "after"),
]


@dataclass
class ModelUpstream:
    """An upstream of numbered records that behaves, or misbehaves, in one way."""

    records: list[int]
    size: int
    paginator: Paginator
    tells_total: bool = False
    tells_more: bool = False
    tells_last: bool = False
    past_the_end: str = "empty"  # or: status, clamp
    ignores_pages: bool = False
    lie: int = 0

    def page(self, step: Step | None) -> Page:
        """Return the answer to a request."""
        start = 0 if self.ignores_pages else self._start(step)
        if start >= len(self.records) and start:
            if self.past_the_end == "status":
                return Page(url=URL, past_the_end=True)
            if self.past_the_end == "clamp":
                start = (len(self.records) - 1) // self.size * self.size
        there = self.records[start : start + self.size]
        more = start + self.size < len(self.records)
        return Page(
            url=URL,
            records=there,
            leads=self._leads(start + self.size) if more else None,
            more=more if self.tells_more else None,
            total=len(self.records) + self.lie if self.tells_total else None,
            last=-(-len(self.records) // self.size) if self.tells_last else None,
            after=str(there[-1]) if there else None,
        )

    def _start(self, step: Step | None) -> int:
        match step:
            case NextUrl(url):
                return int(parse_qs(urlsplit(url).query)["start"][0])
            case NextParams(params):
                [text] = params.values()
                match self.paginator:
                    case Number(_, first):
                        return (int(text) - first) * self.size
                    case After():
                        return self.records.index(int(text)) + 1
                return int(text)
        return 0

    def _leads(self, start: int) -> str | Mapping[str, str] | None:
        if isinstance(self.paginator, Token):
            return {"token": str(start)}
        return f"{URL}?start={start}" if self.paginator in LED else None


def walked(upstream: ModelUpstream, pages: Pages | None = None) -> tuple[list[int], bool]:
    """Walk an upstream to its end; return the records that came, and whether the end is proven."""
    walk = Walk(pages or Pages(paginator=upstream.paginator))
    came: list[int] = []
    step: Step | None = None
    while True:
        page = upstream.page(step)
        assert not page.past_the_end or walk.may_pass_the_end
        step = walk.after(page)
        came += [int(str(record)) for record in page.records]
        if isinstance(step, End):
            return came, step.proven


def failure_of(upstream: ModelUpstream) -> str:
    """Walk an upstream; return the code of the failure, "" if there is none."""
    try:
        walked(upstream)
    except UnexpectedContent as failure:
        return failure.code
    return ""


def lists() -> st.SearchStrategy[list[int]]:
    """Lists of distinct records."""
    return st.lists(st.integers(0, 10_000), unique=True, max_size=60)


@given(lists(), st.integers(1, 20), st.sampled_from([*LED, *COUNTED]), st.data())
def test_all_records_of_an_honest_upstream_come_and_its_end_is_proven(
    records: list[int], size: int, paginator: Paginator, data: st.DataObject
) -> None:
    total, more, last = (data.draw(st.booleans()) for _ in range(3))
    upstream = ModelUpstream(records, size, paginator, total, more, last)
    assert walked(upstream) == (records, True)


@given(lists(), st.integers(1, 20), st.sampled_from(COUNTED), st.sampled_from(["status", "clamp"]))
def test_an_end_that_only_a_status_or_a_repeated_page_shows_is_likely(
    records: list[int], size: int, paginator: Paginator, past_the_end: str
) -> None:
    upstream = ModelUpstream(records, size, paginator, past_the_end=past_the_end)
    if past_the_end == "clamp" and failure_of(upstream):
        # A single page, given again, cannot be told from a parameter that is ignored.
        assert failure_of(upstream) in ("page_ignored", "pagination_loop")
        return
    came, proven = walked(upstream)
    assert set(came) == set(records)
    assert proven is not bool(records)


@given(lists(), st.integers(1, 20), st.sampled_from([*COUNTED, NoPages()]), st.booleans())
def test_a_first_page_is_never_taken_for_all_of_it(
    records: list[int], size: int, paginator: Paginator, tells_total: bool
) -> None:
    upstream = ModelUpstream(
        records, size, paginator, ignores_pages=True, tells_total=True, tells_more=tells_total
    )
    if len(records) > size:
        assert failure_of(upstream) in ("page_ignored", "more_pages")
    else:
        assert walked(upstream) == (records, True)


@given(lists(), st.integers(1, 20), st.sampled_from([*LED, *COUNTED]), st.integers(1, 9))
def test_an_end_that_contradicts_the_total_is_never_proven(
    records: list[int], size: int, paginator: Paginator, lie: int
) -> None:
    came, proven = walked(ModelUpstream(records, size, paginator, tells_total=True, lie=lie))
    assert came == records
    assert not proven


@given(st.lists(st.integers(), unique=True, min_size=9, max_size=30), st.sampled_from(LED))
def test_a_total_that_is_too_low_ends_a_walk_that_leads_on_without_proof(
    records: list[int], paginator: Paginator
) -> None:
    upstream = ModelUpstream(records, 4, paginator, tells_total=True, lie=2 - len(records))
    assert walked(upstream) == (records[:4], False)


def test_a_total_that_moves_during_the_walk_proves_nothing() -> None:
    walk = Walk(Pages(paginator=Number("page")))
    walk.after(Page(url=URL, records=[1, 2], total=3))
    assert walk.after(Page(url=URL, records=[3, 4], total=4)) == End(proven=False)


def test_records_that_move_between_pages_prove_nothing() -> None:
    walk = Walk(Pages(paginator=Offset("offset")))
    walk.after(Page(url=URL, records=[1, 2], total=4))
    assert walk.after(Page(url=URL, records=[2, 3], total=4)) == End(proven=False)


def test_a_total_on_page_one_alone_is_kept() -> None:
    walk = Walk(Pages(paginator=Number("page")))
    walk.after(Page(url=URL, records=[1, 2], total=3))
    assert walk.after(Page(url=URL, records=[3])) == End(proven=True)


def empty_pages() -> Iterator[Page]:
    """Yield pages without records that lead on for ever."""
    number = 0
    while True:
        number += 1
        yield Page(url=URL, leads=f"{URL}?start={number}")


def test_a_hundred_empty_pages_with_a_next_page_are_followed() -> None:
    walk, pages = Walk(Pages(paginator=LinkHeader())), empty_pages()
    for _ in range(99):
        assert isinstance(walk.after(next(pages)), NextUrl)
    with pytest.raises(UnexpectedContent, match="there were 100 empty pages in a row") as failure:
        walk.after(next(pages))
    assert failure.value.code == "pagination_loop"


def test_a_token_of_the_present_place_ends_at_an_empty_page() -> None:
    walk = Walk(Pages(paginator=Token("since", Pointer(("last_seq",)))))
    walk.after(Page(url=URL, records=[1, 2], leads={"since": "2"}))
    assert walk.after(Page(url=f"{URL}?since=2", leads={"since": "2"})) == End(proven=True)


def test_an_empty_page_between_full_ones_is_no_end_where_it_leads_on() -> None:
    walk = Walk(Pages(paginator=LinkHeader()))
    walk.after(Page(url=URL, records=[1], leads=f"{URL}?2"))
    assert walk.after(Page(url=URL, leads=f"{URL}?3")) == NextUrl(f"{URL}?3")
    assert walk.after(Page(url=URL, records=[2])) == End(proven=True)


@pytest.mark.parametrize(
    ("paginator", "first", "second"),
    [
        (LinkHeader(), URL, None),
        (LinkHeader(), f"{URL}?2", f"{URL}?2"),
        (Token("token", Pointer(("t",))), {"token": "a"}, {"token": "a"}),
    ],
)
def test_a_page_that_leads_where_the_walk_has_been_is_a_loop(
    paginator: Paginator, first: Any, second: Any
) -> None:
    walk = Walk(Pages(paginator=paginator))
    with pytest.raises(UnexpectedContent, match="the pages form a loop") as failure:
        walk.after(Page(url=URL, records=[1], leads=first))
        walk.after(Page(url=URL, records=[2], leads=second))
    assert failure.value.code == "pagination_loop"


def test_a_page_without_a_new_record_is_a_loop() -> None:
    walk = Walk(Pages(paginator=Number("page")))
    walk.after(Page(url=URL, records=[1, 2]))
    walk.after(Page(url=URL, records=[3]))
    with pytest.raises(UnexpectedContent, match="page 3 has only records of earlier pages"):
        walk.after(Page(url=URL, records=[2]))


@pytest.mark.parametrize("says", [{"leads": f"{URL}?2"}, {"more": True}, {"total": 2}])
def test_one_answer_that_says_there_is_more_fails(says: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedContent) as failure:
        Walk(Pages()).after(Page(url=URL, records=[1], **says))
    assert failure.value.code == "more_pages"


def test_one_answer_that_says_nothing_of_more_is_a_proven_end() -> None:
    assert Walk(Pages()).after(Page(url=URL, records=[1], total=1)) == End(proven=True)


def test_a_first_page_that_is_wanted_alone_proves_nothing() -> None:
    page = Page(url=URL, records=[1], leads=f"{URL}?2")
    assert Walk(Pages(paginator=FirstPage())).after(page) == End(proven=False)


def test_more_without_a_way_to_it_fails() -> None:
    with pytest.raises(UnexpectedContent, match="no next page is named") as failure:
        Walk(Pages(paginator=LinkHeader())).after(Page(url=URL, records=[1], more=True))
    assert failure.value.code == "more_pages"


def test_a_last_record_without_the_value_that_leads_on_fails() -> None:
    walk = Walk(Pages(paginator=After(Pointer(("id",)), "after")))
    with pytest.raises(UnexpectedContent, match="the last record has no value at /id"):
        walk.after(Page(url=URL, records=[1]))


@pytest.mark.parametrize(
    ("pages", "code"),
    [
        (Pages(paginator=Number("page"), max_pages=2), "too_many_pages"),
        (Pages(paginator=Number("page"), max_records=5), "too_many_records"),
    ],
)
def test_bounds_fail_a_walk_and_never_cut_it(pages: Pages, code: str) -> None:
    with pytest.raises(UnexpectedContent) as failure:
        walked(ModelUpstream([0, 1, 2, 3, 4, 5], 2, pages.paginator), pages)
    assert failure.value.code == code


def test_a_walk_may_be_as_long_as_its_bounds() -> None:
    pages = Pages(paginator=LinkHeader(), max_pages=2, max_records=4)
    assert walked(ModelUpstream([0, 1, 2, 3], 2, pages.paginator), pages) == ([0, 1, 2, 3], True)
