"""Ready pages: answers kept as bytes, as long as nothing they tell has changed.

A page is only kept when the request carried no credentials. Before it is sent again, the store is
asked whether anything was written; if so, whether that concerned this dataset.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from adapters.http.protocol.asgi import Scope, lines
from application.datasets.catalogue import FreshnessStatus
from application.datasets.query import Query
from domain.checkpoints import Freshness

#: What all kept pages together may take, and the largest page worth keeping.
MAX_BYTES = 16 * 1024 * 1024
MAX_PAGE_BYTES = 256 * 1024
#: About what the objects around the bytes of one thing take.
OBJECTS_BYTES = 2000

K = TypeVar("K")
V = TypeVar("V")
Key = tuple[str, bytes, bytes]


class ReadyPage(msgspec.Struct, kw_only=True):
    """One answer up to where it differs from request to request."""

    query: Query[Any]
    body: bytes
    etag: str
    lines: tuple[tuple[bytes, bytes], ...]
    freshness: Freshness
    standing: FreshnessStatus
    version: int


def page_ready(
    query: Query[Any],
    body: bytes,
    headers: Mapping[str, str],
    freshness: Freshness,
    standing: FreshnessStatus,
    version: int,
) -> ReadyPage:
    """An answer to keep; `version` is the store's from before anything was read."""
    return ReadyPage(
        query=query,
        body=body,
        etag=headers["ETag"],
        lines=tuple(lines(headers)),
        freshness=freshness,
        standing=standing,
        version=version,
    )


class LruCache(Generic[K, V]):
    """What was asked for last, within a bound of memory; `size_of` is what one thing takes."""

    def __init__(self, max_bytes: int, size_of: Callable[[K, V], int]) -> None:
        self._things: dict[K, V] = {}
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._bytes = 0

    def get(self, key: K) -> V | None:
        """What is kept under this key; it becomes the last one to be forgotten."""
        thing = self._things.pop(key, None)
        if thing is not None:
            self._things[key] = thing
        return thing

    def keep(self, key: K, thing: V) -> None:
        """Keep something, and forget the longest unused to make room."""
        self.forget(key)
        self._things[key] = thing
        self._bytes += self._size_of(key, thing)
        while self._bytes > self._max_bytes:
            self.forget(next(iter(self._things)))

    def forget(self, key: K) -> None:
        """Keep it no longer."""
        thing = self._things.pop(key, None)
        if thing is not None:
            self._bytes -= self._size_of(key, thing)


class ReadyPages(LruCache[Key, ReadyPage]):
    """The pages asked for last, but for large ones."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(max_bytes, _size)

    def keep(self, key: Key, page: ReadyPage) -> None:
        """Keep a page in place of the one before."""
        if len(page.body) > MAX_PAGE_BYTES:
            self.forget(key)
        else:
            super().keep(key, page)


def key_of(scope: Scope) -> Key | None:
    """What tells one answer from another; None for a request with credentials."""
    accept = b""
    for name, value in scope["headers"]:
        if name == b"authorization" or name == b"cookie":
            return None
        if name == b"accept":
            accept += value + b","
    return scope["path"], scope["query_string"], accept


def _size(key: Key, page: ReadyPage) -> int:
    return len(page.body) + len(key[0]) + len(key[1]) + len(key[2]) + OBJECTS_BYTES
