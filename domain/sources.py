"""Sources as values: a request, a paginator, a format, and a mapping to records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from domain.dataset import R
from domain.pages import Pages
from domain.payloads import Payload
from domain.pointers import Pointer
from domain.secrets import Auth

E = TypeVar("E")


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


# ---------------------------------------------------------------- formats


class JsonFormat(msgspec.Struct, frozen=True):
    """A JSON list of objects or, if `single`, one object without a list around it.

    The list is at `records`; its elements may be rows, whose names are at `columns`. If it
    `is_lenient`, an object in place of the list is a single record.
    """

    single: bool = False
    records: Pointer = Pointer()
    columns: Pointer | None = None
    is_lenient: bool = False

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


class NdjsonFormat(msgspec.Struct, frozen=True):
    """A JSON value on each line."""

    @property
    def media_type(self) -> str:
        """Return the media type to request."""
        return "application/x-ndjson"

    @property
    def is_self_delimiting(self) -> bool:
        """Return whether truncation is always visible in the body itself.

        A body that ends between two lines looks complete.
        """
        return False


Format = JsonFormat | NdjsonFormat | CsvFormat

# ---------------------------------------------------------------- the whole


@dataclass(frozen=True)
class RecordMapping(Generic[E, R]):
    """The mapping from the elements of a payload to records.

    `element` is the upstream's type of one element: an object of a JSON list, whose other members
    are ignored, or a row of a CSV table, whose fields name its columns. `record` makes a record of
    an element and its payload; a ValueError rejects that element alone.

    Where more than the payload matters, `context` makes of it, and of the values at `surroundings`
    in the body, what `record` gets in its place; if a record `needs_member`, the name or position
    of each element is set there, as `member`. `around` is what it made for one payload.
    """

    element: type[E]
    record: Callable[[E, Any], R]
    context: Callable[[Payload, Sequence[Any]], Any] | None = None
    surroundings: tuple[Pointer, ...] = ()
    needs_member: bool = False
    around: Any = None


@dataclass(frozen=True, kw_only=True)
class SourceDefinition(Generic[R]):
    """The definition of one source of a dataset.

    Raise `normaliser_version` whenever the format or the mapping changes: stored payloads are then
    reprocessed, without a request to the upstream. `key` is where elements have
    what identifies them; without it, all of an element does.
    """

    name: str
    request: Request
    format: Format
    mapping: RecordMapping[Any, R]
    normaliser_version: str
    pages: Pages = field(default_factory=Pages)
    key: tuple[Pointer, ...] = ()
    auth: tuple[Auth, ...] = ()
