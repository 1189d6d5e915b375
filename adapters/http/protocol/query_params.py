"""Query strings: their parameters, read strictly."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from domain.errors import InvalidValue, MalformedQuery
from domain.paging import DEFAULT_LIMIT, MAX_LIMIT

#: More parameters than any question needs; conditions have a limit of their own.
MAX_PARAMETERS = 60

_DIGITS = re.compile(r"[0-9]{1,9}")


def parameters_of(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string; MalformedQuery for what is not UTF-8 or comes twice."""
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


def number_of(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number among parameters; InvalidValue for what is no such number."""
    text = given.get(name)
    if text is None:
        return default
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidValue(name, f"expected a whole number from {least} to {most}")
    return int(text)


def limit_of(given: Mapping[str, str]) -> int:
    """How many items a page is to have; InvalidValue for what is no such number."""
    return number_of(given, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
