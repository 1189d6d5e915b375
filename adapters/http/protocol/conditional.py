"""Conditional requests: the versions that a client has, or wants to change (RFC 9110, 13)."""

import re
from collections.abc import Iterator
from typing import Annotated

from litestar.params import HeaderParameter

from adapters.http.protocol.asgi import Scope, header_of

#: Matches any current version.
ANY = "*"

#: Compressing proxies change ETags: to weak ones, or by adding the name of the coding.
_TAG = re.compile(r'(?:W/)?"([^"]*?)(?:(?:--?|;|:)(?:gzip|br|deflate|zstd))?"')
_VERSION = re.compile(r"[1-9][0-9]{0,18}")


#: The headers of handlers that answer and change versions.
IfNoneMatch = Annotated[
    str,
    HeaderParameter(
        name="If-None-Match", description="the ETag of an earlier answer; 304 if still current"
    ),
]
IfMatch = Annotated[
    str,
    HeaderParameter(
        name="If-Match", description="the ETag of the version to be changed; 412 if it has changed"
    ),
]


def etag_of(version: int) -> str:
    """Return the strong ETag of a version: each version has its own bytes."""
    return f'"{version}"'


def versions_in(if_match: str) -> frozenset[int] | None:
    """Return the versions in `If-Match`, or None if any version matches.

    A foreign ETag names no version, so nothing matches it. Weak ETags are accepted, because a proxy
    may have made them weak, and the version matters here, not the bytes.
    """
    if not if_match or if_match.strip() == ANY:
        return None
    return frozenset(int(tag) for tag in _opaque(if_match) if _VERSION.fullmatch(tag))


def has(scope: Scope, *etags: str) -> bool:
    """Return whether the client has an answer with one of these ETags."""
    return matches(header_of(scope, b"if-none-match"), *etags)


def matches(if_none_match: str, *etags: str) -> bool:
    """Return whether `If-None-Match` contains one of these ETags, by weak comparison."""
    if not if_none_match:
        return False
    if ANY in etags and any(tag.strip() == ANY for tag in if_none_match.split(",")):
        return True
    wanted = {etag.removeprefix("W/").strip('"') for etag in etags if etag != ANY}
    return any(tag in wanted for tag in _opaque(if_none_match))


def _opaque(header: str) -> Iterator[str]:
    """Yield the opaque parts of a header's ETags, as we sent them."""
    found = (_TAG.fullmatch(tag.strip()) for tag in header.split(","))
    return (match[1] for match in found if match)
