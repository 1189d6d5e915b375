"""Query strings: strict parsing, and a check against a handler's parameters."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.params import QueryParameter, QueryParams

from adapters.http.protocol.problems import ECHO
from domain.errors import InvalidValue, MalformedQuery, UnknownParameter
from domain.fields import Field, fields_of
from domain.filters import joined

#: More parameters than any query needs; conditions have a limit of their own.
MAX_PARAMETERS = 60

#: Paging parameters, which are ignored if empty.
_OF_PAGES = frozenset({"limit", "cursor", "skip"})


def parameters_of(
    query: bytes, takes_list: Callable[[str], bool] | None = None
) -> list[tuple[str, str]]:
    """Return the parameters of a query string; raise MalformedQuery for bad UTF-8 or a duplicate.

    A parameter that `takes_list` may be repeated, also as `name[]`: its values are joined by commas
    into one list.
    """
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=None)
    except (UnicodeDecodeError, ValueError) as error:
        raise MalformedQuery("", "the query is not percent-encoded UTF-8") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        if "\0" in name + value:
            raise MalformedQuery(name, "holds the character U+0000")
        if takes_list and name[-2:] == "[]" and takes_list(name[:-2]):
            name = name[:-2]
        if name in found:
            if takes_list is None or not takes_list(name):
                raise MalformedQuery(name, "is given twice")
            value = joined((found[name], value))
        found[name] = value
    if len(found) > MAX_PARAMETERS:
        raise MalformedQuery("", f"a query has at most {MAX_PARAMETERS} parameters")
    return list(found.items())


class QueryGuard:
    """The check of query parameters: unknown and repeated ones are refused.

    Values have the grammar of `/data`, which is stricter than the framework's: integers are plain
    digits, times have a zone, and empty paging parameters count as absent. They are rewritten for
    the framework. A handler that declares `query` accepts any parameter.
    """

    def __init__(self) -> None:
        self._fields_of = lru_cache(maxsize=None)(query_fields)

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
    ) -> None:
        """Raise UnknownParameter, MalformedQuery or InvalidValue."""
        # Not the argument, which is a copy made for this call.
        declared = self._fields_of(connection.route_handler)
        if declared is None:
            return
        given = parameters_of(connection.scope["query_string"])
        for name in dict(given):
            if name not in declared:
                raise _unknown(name, declared)
        read = [
            (name, _reformatted(declared[name], text))
            for name, text in given
            if text or name not in _OF_PAGES
        ]
        if read != given:
            connection.scope["query_string"] = urlencode(read).encode()


def _unknown(name: str, known: Iterable[str]) -> UnknownParameter:
    near = get_close_matches(name[:ECHO], known, 1)
    suggestion = f"; did you mean {near[0]}?" if near else ";"
    there_are = ", ".join(known) or "none"
    return UnknownParameter(name, f"there is no such parameter{suggestion} there are: {there_are}")


def query_fields(handler: BaseRouteHandler) -> Mapping[str, Field] | None:
    """Return a handler's query parameters by name; None if it accepts any."""
    parameters = handler.parsed_fn_signature.parameters
    if any(parameter.annotation is QueryParams for parameter in parameters.values()):
        return None
    described = [
        (parameter.kwarg_definition.name or name, parameter.annotation)
        for name, parameter in parameters.items()
        if isinstance(parameter.kwarg_definition, QueryParameter)
    ]
    return fields_of(msgspec.defstruct("Query", described))


def _reformatted(field: Field, text: str) -> str:
    """Return a value in the framework's format; raise InvalidValue for an invalid one."""
    try:
        return field.format(field.parse_query(text))
    except ValueError as error:
        raise InvalidValue(field.name, str(error)) from error
