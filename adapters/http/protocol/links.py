"""Links to our own paths, with the prefix by which clients reach this service."""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

#: Key in the scope: the prefix, and whether the peer is trusted; part of cache keys.
_ORIGIN = "catchment.origin"
_SEGMENT = r"/[A-Za-z0-9_~@:+=$!-][A-Za-z0-9._~@:+=$!-]*"
#: No other characters, because a prefix is written into pages, headers and documents.
_PREFIX = re.compile(rf"(?:{_SEGMENT}){{1,16}}")
_LONGEST = 200

#: Each request has its own task and context.
_current: ContextVar[str] = ContextVar("prefix", default="")


def is_prefix(text: str) -> bool:
    """Return whether a text is a valid prefix: "" or segments after slashes."""
    return not text or (len(text) <= _LONGEST and _PREFIX.fullmatch(text) is not None)


def joined_prefix(parts: Iterable[str]) -> str | None:
    """Return the joined prefix of several proxies, outermost first; None if it is invalid."""
    prefix = "".join(part.strip().rstrip("/") for part in parts)
    return prefix if is_prefix(prefix) else None


def set_origin(scope: Any, prefix: str, is_trusted: bool) -> None:
    """Store the prefix and whether the peer is trusted; strip the prefix from the path once."""
    scope[_ORIGIN] = prefix, is_trusted
    path = scope["path"]
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        scope["path"] = path[len(prefix) :] or "/"


def origin_of(scope: Any) -> tuple[str, bool] | None:
    """Return the prefix, and whether the peer is trusted; None if neither is set."""
    origin: tuple[str, bool] | None = scope.get(_ORIGIN)
    return origin


def enter(scope: Any) -> None:
    """Set the prefix of all links in the answer to a request."""
    origin = origin_of(scope)
    _current.set(origin[0] if origin else "")


def current_prefix() -> str:
    """Return the prefix of the current request."""
    return _current.get()


def link_to(path: str) -> str:
    """Return one of our paths with the prefix of the current request."""
    return _current.get() + path
