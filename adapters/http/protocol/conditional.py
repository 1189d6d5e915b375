"""Conditional requests: which versions a client has, and which it may change (RFC 9110, 13)."""

import re
from collections.abc import Iterator
from typing import Annotated

from litestar.params import HeaderParameter

from adapters.http.protocol.asgi import Scope, header_of

#: Stands for whatever there is, which has to be looked for first.
ANY = "*"

#: Compressing proxies mark the tag of what they changed: weak, or with the name of the coding.
_TAG = re.compile(r'(?:W/)?"([^"]*?)(?:(?:--?|;|:)(?:gzip|br|deflate|zstd))?"')
_VERSION = re.compile(r"[1-9][0-9]{0,18}")


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

    A tag that is not ours names no version, so nothing matches it. Ours is recognised as well when
    a proxy on the way has made it weak: it is the version that counts, not the bytes.
    """
    if not if_match or if_match.strip() == ANY:
        return None
    return frozenset(int(tag) for tag in _opaque(if_match) if _VERSION.fullmatch(tag))


def has(scope: Scope, *etags: str) -> bool:
    """Whether the client has an answer with one of these tags."""
    return matches(header_of(scope, b"if-none-match"), *etags)


def matches(if_none_match: str, *etags: str) -> bool:
    """Whether `If-None-Match` names one of these tags; weak comparison, as for any GET."""
    if not if_none_match:
        return False
    if ANY in etags and any(tag.strip() == ANY for tag in if_none_match.split(",")):
        return True
    wanted = {etag.removeprefix("W/").strip('"') for etag in etags if etag != ANY}
    return any(tag in wanted for tag in _opaque(if_none_match))


def _opaque(header: str) -> Iterator[str]:
    """Yield what stands in the tags of a header, as we have written them."""
    found = (_TAG.fullmatch(tag.strip()) for tag in header.split(","))
    return (match[1] for match in found if match)
