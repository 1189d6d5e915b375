"""Plans of pages: the conversion of a block to a paginator and its ends."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from domain.blocks import PagesBlock, SourceBlock
from domain.pages import (
    MAX_PAGES,
    MAX_RECORDS,
    After,
    Ends,
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
from domain.pointers import Pointer, parse_pointer

V = TypeVar("V")


def pages_of(block: SourceBlock) -> Pages:
    """Return the pages of a source; raise ValueError for a block that contradicts itself."""
    pages = block.pages
    named: Mapping[Any, Paginator] = {
        None: NoPages(),
        "none": NoPages(),
        "link": LinkHeader(),
        "first": FirstPage(),
    }
    for bound in (block.max_pages, block.max_records):
        if bound is not None and bound < 1:
            raise ValueError("max_pages and max_records are at least 1")
    bounds = block.max_pages or MAX_PAGES, block.max_records or MAX_RECORDS
    if not isinstance(pages, PagesBlock):
        return Pages(paginator=named[pages], max_pages=bounds[0], max_records=bounds[1])
    ends = Ends(
        more=optional(_single, pages.more),
        total=optional(_single, pages.total),
        total_header=pages.total_header or "",
        last=optional(_single, pages.last),
        last_header=pages.last_header or "",
    )
    paginator = _paginator(pages)
    if (ends.last or ends.last_header) and not isinstance(paginator, Number):
        raise ValueError("last is the number of the last page, so it belongs to number")
    return Pages(paginator=paginator, ends=ends, max_pages=bounds[0], max_records=bounds[1])


def _paginator(block: PagesBlock) -> Paginator:
    found = [paginator for make in _WAYS.values() if (paginator := make(block)) is not None]
    if len(found) != 1:
        raise ValueError(f"expected one of {', '.join(_WAYS)}, and there are {len(found)}")
    [paginator] = found
    takes_send = isinstance(paginator, Token | After)
    if takes_send and not block.send:
        raise ValueError("send is missing: the parameter that leads on")
    if block.send and not takes_send:
        raise ValueError("send belongs to token and after")
    if block.from_ is not None and not isinstance(paginator, Number):
        raise ValueError("from is the number of the first page, so it belongs to number")
    return paginator


def _token(block: PagesBlock) -> Token | None:
    if block.token is None and not block.token_header:
        return None
    return Token(block.send or "", optional(_single, block.token), block.token_header or "")


def _number(block: PagesBlock) -> Number | None:
    first = 1 if block.from_ is None else block.from_
    return Number(block.number, first) if block.number else None


def _after(block: PagesBlock) -> After | None:
    return None if block.after is None else After(_single(block.after), block.send or "")


#: Each paginator by its key.
_WAYS: Mapping[str, Callable[[PagesBlock], Paginator | None]] = {
    "link": lambda block: LinkHeader() if block.link else None,
    "next": lambda block: None if block.next is None else NextMember(_single(block.next)),
    "next_header": lambda block: NextHeader(block.next_header) if block.next_header else None,
    "token": _token,
    "number": _number,
    "offset": lambda block: Offset(block.offset) if block.offset else None,
    "after": _after,
}


def _single(text: str) -> Pointer:
    pointer = parse_pointer(text)
    if not pointer.is_single:
        raise ValueError(f"{text} leads to one value, so it has no step *")
    return pointer


def optional(read: Callable[[str], V], text: str | None) -> V | None:
    """Return the parsed text, None for None."""
    return None if text is None else read(text)
