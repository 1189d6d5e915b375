"""Paginators as values: the ways from one page to the next, and the end of pages."""

import msgspec

from domain.pointers import Pointer

MAX_PAGES = 10_000
MAX_RECORDS = 1_000_000


class NoPages(msgspec.Struct, frozen=True):
    """A single response with all records; if it announces more, the fetch fails."""


class FirstPage(msgspec.Struct, frozen=True):
    """Only the first page, of possibly several."""


class LinkHeader(msgspec.Struct, frozen=True):
    """The next page in `Link: rel="next"`."""


class NextMember(msgspec.Struct, frozen=True):
    """The next page in a member of the body: its URL, or a list of links with their `rel`."""

    pointer: Pointer


class NextHeader(msgspec.Struct, frozen=True):
    """The URL of the next page in a header."""

    name: str


class Token(msgspec.Struct, frozen=True):
    """A token from the body or a header, sent as a parameter.

    A token that is an object sends all its members, each as the parameter of its name.
    """

    send: str
    pointer: Pointer | None = None
    header: str = ""


class Number(msgspec.Struct, frozen=True):
    """Page numbers in a parameter, from `first` on."""

    send: str
    first: int = 1


class Offset(msgspec.Struct, frozen=True):
    """The number of received records in a parameter, which the upstream skips."""

    send: str


class After(msgspec.Struct, frozen=True):
    """A value of the last record, sent as a parameter."""

    pointer: Pointer
    send: str


Paginator = (
    NoPages | FirstPage | LinkHeader | NextMember | NextHeader | Token | Number | Offset | After
)


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """The upstream's statements about the end: whether there is more, and the totals."""

    more: Pointer | None = None
    total: Pointer | None = None
    total_header: str = ""
    last: Pointer | None = None
    last_header: str = ""


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """The pages of a source.

    More pages than `max_pages`, or more records than `max_records`, make the fetch fail; they are
    never cut off.
    """

    paginator: Paginator = NoPages()
    ends: Ends = Ends()
    max_pages: int = MAX_PAGES
    max_records: int = MAX_RECORDS
