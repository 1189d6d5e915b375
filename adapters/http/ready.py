"""Ready pages: answers kept as bytes, as long as nothing they tell has changed.

A page is only kept when the request carried no credentials. Before it is sent again, the store is
asked whether anything was written; if so, whether that concerned this dataset.
"""

from typing import Any

import msgspec

from adapters.http.asgi import Scope
from application.catalogue import Standing
from application.query import Query
from domain.checkpoints import Freshness

#: What all kept pages together may take, and the largest page worth keeping.
MAX_BYTES = 16 * 1024 * 1024
MAX_PAGE_BYTES = 256 * 1024

Key = tuple[str, bytes, bytes]


class ReadyPage(msgspec.Struct, kw_only=True):
    """One answer up to where it differs from request to request."""

    query: Query[Any]
    body: bytes
    etag: str
    lines: tuple[tuple[bytes, bytes], ...]
    freshness: Freshness
    standing: Standing
    version: int


class ReadyPages:
    """The pages asked for last, within a bound of memory."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._pages: dict[Key, ReadyPage] = {}
        self._max_bytes = max_bytes
        self._bytes = 0

    def get(self, key: Key) -> ReadyPage | None:
        """The page kept under this key; it becomes the last one to be forgotten."""
        page = self._pages.pop(key, None)
        if page is not None:
            self._pages[key] = page
        return page

    def keep(self, key: Key, page: ReadyPage) -> None:
        """Keep a page, and forget the longest unused ones to make room."""
        self.forget(key)
        if len(page.body) > MAX_PAGE_BYTES:
            return
        self._pages[key] = page
        self._bytes += _size(key, page)
        while self._bytes > self._max_bytes:
            self.forget(next(iter(self._pages)))

    def forget(self, key: Key) -> None:
        """Keep a page no longer."""
        page = self._pages.pop(key, None)
        if page is not None:
            self._bytes -= _size(key, page)


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
    # The second figure is about what the objects around the bytes take.
    return len(page.body) + len(key[0]) + len(key[1]) + len(key[2]) + 2000
