"""Sources as values: a request, a paginator, a format, and a mapping to records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from domain.dataset import R
from domain.payloads import Payload

E = TypeVar("E", bound=msgspec.Struct)


class Request(msgspec.Struct, frozen=True):
    """The request to a source.

    `params` are added to the query of the URL; `headers` are sent to its own host only.
    """

    url: str
    params: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}

    @property
    def address(self) -> str:
        """Return the URL with its parameters."""
        if not self.params:
            return self.url
        parts = urlsplit(self.url)
        query = "&".join(filter(None, [parts.query, urlencode(self.params)]))
        return parts._replace(query=query).geturl()


# ---------------------------------------------------------------- paginators


class NoPages(msgspec.Struct, frozen=True):
    """A single response with all records."""


class NextLink(msgspec.Struct, frozen=True):
    """Pages linked by `Link: rel="next"` on the same host, at most `max_pages`."""

    max_pages: int = 10_000


Paginator = NoPages | NextLink

# ---------------------------------------------------------------- formats


class JsonFormat(msgspec.Struct, frozen=True):
    """A JSON list of objects or, if `single`, one object without a list around it."""

    single: bool = False

    @property
    def media_type(self) -> str:
        """Return the media type to request."""
        return "application/json"

    @property
    def is_self_delimiting(self) -> bool:
        """Return whether truncation is always visible in the body itself."""
        return True


class CsvFormat(msgspec.Struct, frozen=True):
    """A CSV table: a header that names the columns, and a row for each record."""

    @property
    def media_type(self) -> str:
        """Return the media type to request."""
        return "text/csv"

    @property
    def is_self_delimiting(self) -> bool:
        """Return whether truncation is always visible in the body itself.

        A truncated row can look complete, with a price that lacks its last digits.
        """
        return False


Format = JsonFormat | CsvFormat

# ---------------------------------------------------------------- the whole


@dataclass(frozen=True)
class RecordMapping(Generic[E, R]):
    """The mapping from the elements of a payload to records.

    `element` is the upstream's type of one element: an object of a JSON list, whose other members
    are ignored, or a row of a CSV table, whose fields name its columns. `record` makes a record of
    an element and its payload; a ValueError rejects that element alone.
    """

    element: type[E]
    record: Callable[[E, Payload], R]


@dataclass(frozen=True, kw_only=True)
class SourceDefinition(Generic[R]):
    """The definition of one source of a dataset.

    Raise `normaliser_version` whenever the format or the mapping changes: stored payloads are then
    reprocessed, without a request to the upstream.
    """

    name: str
    request: Request
    format: Format
    mapping: RecordMapping[Any, R]
    normaliser_version: str
    pages: Paginator = field(default_factory=NoPages)
