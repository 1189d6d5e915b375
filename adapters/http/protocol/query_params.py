"""Query strings: their parameters, read strictly, and held to what a handler declares."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.params import QueryParameter, QueryParams

from adapters.http.protocol.problems import ECHO
from domain.errors import InvalidValue, MalformedQuery, UnknownParameter
from domain.fields import Field, fields_of
from domain.paging import DEFAULT_LIMIT, MAX_LIMIT

#: More parameters than any question needs; conditions have a limit of their own.
MAX_PARAMETERS = 60

_DIGITS = re.compile(r"[0-9]{1,9}")


def parameters_of(query: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a query string; MalformedQuery if not UTF-8 or one comes twice."""
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=None)
    except (UnicodeDecodeError, ValueError) as error:
        raise MalformedQuery("", "the query is not percent-encoded UTF-8") from error
    if len(pairs) > MAX_PARAMETERS:
        raise MalformedQuery("", f"a query has at most {MAX_PARAMETERS} parameters")
    seen: set[str] = set()
    for name, value in pairs:
        if "\0" in name + value:
            raise MalformedQuery(name, "holds the character U+0000")
        if name in seen:
            raise MalformedQuery(name, "is given twice")
        seen.add(name)
    return pairs


class QueryGuard:
    """Refuses query parameters that a handler does not declare, and repeated ones.

    Values are held to the grammar of `/data`, which is stricter than the framework's: whole numbers
    are plain digits, and times have a zone. A handler that declares `query` takes any parameter.
    """

    def __init__(self) -> None:
        self._fields_of = lru_cache(maxsize=None)(query_fields)

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
    ) -> None:
        """Raise UnknownParameter, MalformedQuery or InvalidValue."""
        # Not the handler that is passed, which is a copy made for this call.
        declared = self._fields_of(connection.route_handler)
        if declared is None:
            return
        for name, text in parameters_of(connection.scope["query_string"]):
            if name not in declared:
                raise _unknown(name, declared)
            try:
                declared[name].parse_asked(text)
            except ValueError as error:
                raise InvalidValue(name, str(error)) from error


def _unknown(name: str, known: Iterable[str]) -> UnknownParameter:
    near = get_close_matches(name[:ECHO], known, 1)
    meant = f"; did you mean {near[0]}?" if near else ";"
    there_are = ", ".join(known) or "none"
    return UnknownParameter(name, f"there is no such parameter{meant} there are: {there_are}")


def query_fields(handler: BaseRouteHandler) -> Mapping[str, Field] | None:
    """Return the query parameters in a handler's signature by name; None if it takes any."""
    parameters = handler.parsed_fn_signature.parameters
    if any(parameter.annotation is QueryParams for parameter in parameters.values()):
        return None
    described = [
        (parameter.kwarg_definition.name or name, parameter.annotation)
        for name, parameter in parameters.items()
        if isinstance(parameter.kwarg_definition, QueryParameter)
    ]
    return fields_of(msgspec.defstruct("Query", described))


def number_of(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """Return a whole number among parameters; InvalidValue for what is no such number."""
    text = given.get(name)
    if text is None:
        return default
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidValue(name, f"expected a whole number from {least} to {most}")
    return int(text)


def limit_of(given: Mapping[str, str]) -> int:
    """Return how many items a page is to have; InvalidValue for what is no such number."""
    return number_of(given, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
