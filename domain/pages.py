"""Paginators as values: how one page of an upstream leads to the next, and where pages end."""

import msgspec

from domain.pointers import Pointer

MAX_PAGES = 10_000
MAX_RECORDS = 1_000_000


class NoPages(msgspec.Struct, frozen=True):
    """One answer holds everything; where it says that there is more, the fetch fails."""


class FirstPage(msgspec.Struct, frozen=True):
    """Only the first page is wanted, and there may be more."""


class LinkHeader(msgspec.Struct, frozen=True):
    """`Link: rel="next"` leads to the next page."""


class NextMember(msgspec.Struct, frozen=True):
    """A member of the body holds the URL of the next page, or a list of links with their `rel`."""

    pointer: Pointer


class NextHeader(msgspec.Struct, frozen=True):
    """A header holds the URL of the next page."""

    name: str


class Token(msgspec.Struct, frozen=True):
    """A token from the body or a header is sent as a parameter.

    A token that is an object sends all its members, each as the parameter of its name.
    """

    send: str
    pointer: Pointer | None = None
    header: str = ""


class Number(msgspec.Struct, frozen=True):
    """Pages are numbered by a parameter, from `first` on."""

    send: str
    first: int = 1


class Offset(msgspec.Struct, frozen=True):
    """A parameter says how many records to pass over: as many as have come."""

    send: str


class After(msgspec.Struct, frozen=True):
    """A value of the last record is sent as a parameter."""

    pointer: Pointer
    send: str


Paginator = (
    NoPages | FirstPage | LinkHeader | NextMember | NextHeader | Token | Number | Offset | After
)


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """What else an upstream says of the end: whether there is more, how many records, or pages."""

    more: Pointer | None = None
    total: Pointer | None = None
    total_header: str = ""
    last: Pointer | None = None
    last_header: str = ""


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """How the pages of a source are walked.

    More pages than `max_pages`, or more records than `max_records`, fail the walk: they never cut
    it.
    """

    paginator: Paginator = NoPages()
    ends: Ends = Ends()
    max_pages: int = MAX_PAGES
    max_records: int = MAX_RECORDS
