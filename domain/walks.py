"""Walks through the pages of an upstream: the next request, or the end."""

from collections.abc import Hashable, Mapping, Sequence

import msgspec

from domain.errors import UnexpectedContent
from domain.pages import (
    After,
    FirstPage,
    NoPages,
    Number,
    Offset,
    Pages,
    Token,
)

#: The statuses that mean that a numbered page is past the end.
PAST_THE_END = frozenset({400, 404, 416})
#: The most empty pages in a row with a next page; more are an endless loop.
MOST_EMPTY = 100


#: Paginators that request a page with a parameter.
_REQUESTED_BY_PARAMETER = (Number, Offset, After, Token)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one page.

    `url` is its URL; `records` identify its records, in order. `leads` is the absolute URL of the
    next page, or the parameters of a token. `past_the_end` pages have no body, only one of the
    statuses PAST_THE_END.
    """

    url: str
    records: Sequence[Hashable] = ()
    leads: str | Mapping[str, str] | None = None
    more: bool | None = None
    total: int | None = None
    last: int | None = None
    after: str | None = None
    past_the_end: bool = False


class NextUrl(msgspec.Struct, frozen=True):
    """The URL of the next page."""

    url: str


class NextParams(msgspec.Struct, frozen=True):
    """The parameters of the next page, for the first URL."""

    params: Mapping[str, str]


class End(msgspec.Struct, frozen=True):
    """The end of the pages.

    It is `proven` if the upstream showed that the records are complete; otherwise it deletes none.
    """

    proven: bool


Step = NextUrl | NextParams | End


class Walk:
    """The state of one walk over the pages of a source."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._paginator = pages.paginator
        #: The numbers of received pages and records.
        self.count = 0
        self.received = 0
        self._known: set[Hashable] = set()
        self._first: tuple[Hashable, ...] = ()
        self._previous: tuple[Hashable, ...] = ()
        self._totals: set[int] = set()
        self._requested: set[Hashable] = set()
        self._empty = 0

    @property
    def may_pass_the_end(self) -> bool:
        """Return whether the next request may get a status of PAST_THE_END."""
        return self.count > 0 and isinstance(self._paginator, Number | Offset | After)

    def after(self, page: Page) -> Step:
        """Return the step after a page; raise UnexpectedContent if the pages are inconsistent.

        Its codes are `more_pages`, `page_ignored`, `pagination_loop`, `too_many_pages` and
        `too_many_records`.
        """
        if page.past_the_end:
            return End(proven=False)
        if self._is_clamped(page):
            return End(proven=False)
        self._note(page)
        step = self._step(page)
        if not isinstance(step, End):
            self._check_further(step)
        return step

    # ------------------------------------------------------------ what came

    def _is_clamped(self, page: Page) -> bool:
        """Return whether a clamping server repeated its last page; raise for a loop."""
        records = tuple(page.records)
        if not records or not self.count:
            return False
        if records == self._first and isinstance(self._paginator, _REQUESTED_BY_PARAMETER):
            raise UnexpectedContent(
                f"page {self.count + 1} is page one again: the upstream ignores the page parameter",
                code="page_ignored",
            )
        is_counted = isinstance(self._paginator, Number | Offset)
        if is_counted and self.count > 1 and records == self._previous:
            return True
        if self._known.issuperset(records):
            raise _loop(f"page {self.count + 1} has only records of earlier pages")
        return False

    def _note(self, page: Page) -> None:
        records = tuple(page.records)
        if not self.count:
            self._first = records
            self._requested.add(page.url)
        self._previous = records
        self.count += 1
        self.received += len(records)
        self._known.update(records)
        self._empty = 0 if records else self._empty + 1
        if page.total is not None:
            self._totals.add(page.total)
        if self.received > self._pages.max_records:
            raise UnexpectedContent(
                f"there are more than {self._pages.max_records} records; max_records allows more",
                code="too_many_records",
            )

    # ------------------------------------------------------------ what follows

    def _step(self, page: Page) -> Step:
        paginator = self._paginator
        if isinstance(paginator, NoPages):
            return self._only(page)
        if isinstance(paginator, FirstPage):
            return End(proven=False)
        if isinstance(paginator, Number | Offset | After):
            return self._counted(page, paginator)
        return self._led(page)

    def _only(self, page: Page) -> End:
        if page.leads is not None or page.more:
            raise _more("the response names a next page")
        if page.total is not None and page.total > self.received:
            raise _more(f"{page.total} records are announced, and {self.received} came")
        return self._end(proven=True)

    def _led(self, page: Page) -> Step:
        if page.more is False:
            return self._end(proven=True)
        if page.records and self._is_complete(page):
            # A total that is too low must not prove an end while there is a next page.
            return self._end(proven=page.leads is None)
        match page.leads:
            case None if page.more:
                raise _more("there is more, but no next page is named")
            case None:
                return self._end(proven=True)
            case str(url):
                return NextUrl(url)
            case params:
                if not page.records and tuple(sorted(params.items())) in self._requested:
                    return self._end(proven=True)  # a token of where we are, and nothing after it
                return NextParams(params)

    def _counted(self, page: Page, paginator: Number | Offset | After) -> Step:
        if not page.records or page.more is False or self._is_complete(page):
            return self._end(proven=True)
        if isinstance(paginator, Number):
            return NextParams({paginator.send: str(paginator.first + self.count)})
        if isinstance(paginator, Offset):
            return NextParams({paginator.send: str(self.received)})
        if page.after is None:
            raise UnexpectedContent(f"the last record has no value at {paginator.pointer}")
        return NextParams({paginator.send: page.after})

    def _is_complete(self, page: Page) -> bool:
        # The total may be only on page one.
        total = max(self._totals, default=None)
        if total is not None and self.received >= total:
            return True
        return page.last is not None and self.count >= page.last

    def _end(self, proven: bool) -> End:
        # Records that moved between pages were received twice: only distinct ones count.
        is_contradicted = len(self._totals) > 1 or any(
            total > len(self._known) for total in self._totals
        )
        return End(proven and not is_contradicted)

    def _check_further(self, step: NextUrl | NextParams) -> None:
        asked = step.url if isinstance(step, NextUrl) else tuple(sorted(step.params.items()))
        if asked in self._requested:
            raise _loop("the pages form a loop")
        self._requested.add(asked)
        if self.count >= self._pages.max_pages:
            raise UnexpectedContent(
                f"there are more than {self._pages.max_pages} pages", code="too_many_pages"
            )
        if self._empty >= MOST_EMPTY:
            raise _loop(f"there were {MOST_EMPTY} empty pages in a row")


def _more(what: str) -> UnexpectedContent:
    return UnexpectedContent(
        f'{what}: say how its pages are walked, or pages = "first"', code="more_pages"
    )


def _loop(what: str) -> UnexpectedContent:
    return UnexpectedContent(what, code="pagination_loop")
