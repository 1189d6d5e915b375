"""Conditional requests: which versions a client has, and which it may change (RFC 9110, 13)."""

import re
from typing import Annotated

from litestar.params import HeaderParameter

from adapters.http.protocol.asgi import Scope, header_of

#: Stands for whatever there is, which has to be looked for first.
ANY = "*"

_VERSION = re.compile(r'\s*"([1-9][0-9]{0,18})"\s*')


#: The headers of handlers that answer and change versions.
IfNoneMatch = Annotated[
    str,
    HeaderParameter(
        name="If-None-Match", description="the ETag of an earlier answer; 304 when it still holds"
    ),
]
IfMatch = Annotated[
    str,
    HeaderParameter(
        name="If-Match", description="the ETag of what is to be changed; 412 when it has changed"
    ),
]


def etag_of(version: int) -> str:
    """Return the strong ETag of a version: each version has its own bytes."""
    return f'"{version}"'


def versions_in(if_match: str) -> frozenset[int] | None:
    """Return the versions that `If-Match` names, or None when any will do.

    A tag that is not ours names no version, so nothing matches it.
    """
    if not if_match or if_match.strip() == ANY:
        return None
    found = (_VERSION.fullmatch(tag) for tag in if_match.split(","))
    return frozenset(int(match[1]) for match in found if match)


def wants_validation(scope: Scope) -> bool:
    """Whether the client has some answer already."""
    return any(name == b"if-none-match" for name, _ in scope["headers"])


def has(scope: Scope, *etags: str) -> bool:
    """Whether the client has an answer with one of these tags."""
    return matches(header_of(scope, b"if-none-match"), *etags)


def matches(if_none_match: str, *etags: str) -> bool:
    """Whether `If-None-Match` names one of these tags; weak comparison, as for any GET."""
    if not if_none_match:
        return False
    wanted = {etag.removeprefix("W/") for etag in etags}
    return any(tag.strip().removeprefix("W/") in wanted for tag in if_none_match.split(","))
