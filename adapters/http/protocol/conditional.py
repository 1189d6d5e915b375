"""Preconditions: which versions of a thing a client knows, and whether a change may be made."""

import re
from typing import Any

from adapters.http.datasets.validators import ANY
from adapters.http.protocol.asgi import header_of

_VERSION = re.compile(r'\s*"([1-9][0-9]{0,18})"\s*')


def etag_of(version: int) -> str:
    """The tag of a version: a strong one, because another version is another text."""
    return f'"{version}"'


def seen_by(scope: Any) -> frozenset[int] | None:
    """The versions that `If-Match` names, or None when any will do.

    What is no tag of ours names no version, so that nothing matches it.
    """
    given = header_of(scope, b"if-match")
    if not given or given.strip() == ANY:
        return None
    found = (_VERSION.fullmatch(tag) for tag in given.split(","))
    return frozenset(int(match[1]) for match in found if match)
