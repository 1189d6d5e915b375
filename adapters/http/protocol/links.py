"""Links to our own paths, under the prefix by which the outside reaches this service."""

import re
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

#: Where the front leaves what it knows of the proxy in front of us, for all that caches answers.
_ORIGIN = "catchment.origin"
_SEGMENT = r"/[A-Za-z0-9_~@:+=$!-][A-Za-z0-9._~@:+=$!-]*"
#: No other character may stand in one: it is written into pages, headers and documents.
_PREFIX = re.compile(rf"(?:{_SEGMENT}){{1,16}}")
_LONGEST = 200

#: Each request has a task, so a context, of its own.
_current: ContextVar[str] = ContextVar("prefix", default="")


def is_prefix(text: str) -> bool:
    """Whether a path may be the prefix of all of ours: "" or segments after slashes."""
    return not text or (len(text) <= _LONGEST and _PREFIX.fullmatch(text) is not None)


def joined_prefix(parts: Iterable[str]) -> str | None:
    """Return the prefix that several proxies have written, the outermost first; None for junk."""
    prefix = "".join(part.strip().rstrip("/") for part in parts)
    return prefix if is_prefix(prefix) else None


def set_origin(scope: Any, prefix: str, is_trusted: bool) -> None:
    """Note the prefix of a request and whether its peer is trusted; strip its path once."""
    scope[_ORIGIN] = prefix, is_trusted
    path = scope["path"]
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        scope["path"] = path[len(prefix) :] or "/"


def origin_of(scope: Any) -> tuple[str, bool] | None:
    """The prefix of a request, and whether its peer is trusted; None where neither is set."""
    origin: tuple[str, bool] | None = scope.get(_ORIGIN)
    return origin


def enter(scope: Any) -> None:
    """Have all links that are made while a request is answered begin with its prefix."""
    origin = origin_of(scope)
    _current.set(origin[0] if origin else "")


def current_prefix() -> str:
    """The prefix of the request that is being answered."""
    return _current.get()


def link_to(path: str) -> str:
    """Return the path by which the outside reaches a path of ours."""
    return _current.get() + path
