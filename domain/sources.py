"""Sources as values: what to request, how to page, which format to read, and what to make of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from domain.dataset import R
from domain.payloads import Payload

E = TypeVar("E", bound=msgspec.Struct)


class Request(msgspec.Struct, frozen=True):
    """The address a source is asked at, and what is sent along.

    `params` are added to the query of the URL; `headers` go to its own host alone.
    """

    url: str
    params: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}

    @property
    def address(self) -> str:
        """The URL with its parameters."""
        if not self.params:
            return self.url
        parts = urlsplit(self.url)
        query = "&".join(filter(None, [parts.query, urlencode(self.params)]))
        return parts._replace(query=query).geturl()


# ---------------------------------------------------------------- paginators


class NoPages(msgspec.Struct, frozen=True):
    """One answer holds everything."""


class NextLink(msgspec.Struct, frozen=True):
    """`Link: rel="next"` leads to the next page, on the same host; there may be `max_pages`."""

    max_pages: int = 10_000


Paginator = NoPages | NextLink

# ---------------------------------------------------------------- formats


class JsonFormat(msgspec.Struct, frozen=True):
    """A JSON list of objects or, where `single`, one object with no list around it."""

    single: bool = False

    @property
    def media_type(self) -> str:
        """What an upstream is asked for."""
        return "application/json"

    @property
    def is_self_delimiting(self) -> bool:
        """Whether a body that was cut short is seen to be, by its text alone."""
        return True


class CsvFormat(msgspec.Struct, frozen=True):
    """A CSV table: a header that names the columns, and a row for each record."""

    @property
    def media_type(self) -> str:
        """What an upstream is asked for."""
        return "text/csv"

    @property
    def is_self_delimiting(self) -> bool:
        """Whether a body that was cut short is seen to be, by its text alone.

        A row that is cut short can look whole, with a price that lacks its last digits.
        """
        return False


Format = JsonFormat | CsvFormat

# ---------------------------------------------------------------- the whole


@dataclass(frozen=True)
class RecordMapping(Generic[E, R]):
    """How the elements of a payload become records.

    `element` is one element as the upstream spells it: an object of a JSON list, whose other
    members are passed over, or a row of a CSV table, whose fields name its columns. `record` makes
    a record of an element and the payload it came in; a ValueError rejects that element alone.
    """

    element: type[E]
    record: Callable[[E, Payload], R]


@dataclass(frozen=True, kw_only=True)
class SourceDefinition(Generic[R]):
    """All there is to say of one place records come from.

    Raise `normaliser_version` whenever the format or the mapping changes: what was kept is then
    read again, without asking the upstream.
    """

    name: str
    request: Request
    format: Format
    mapping: RecordMapping[Any, R]
    normaliser_version: str
    pages: Paginator = field(default_factory=NoPages)
