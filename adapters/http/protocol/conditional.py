"""Preconditions: which versions of a thing a client knows, and whether a change may be made."""

import re
from typing import Any

from adapters.http.protocol.asgi import Scope, header_of

#: Stands for whatever there is, which has to be looked for first.
ANY = "*"

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


def wants_validation(scope: Scope) -> bool:
    """Whether the client has some answer already."""
    return any(name == b"if-none-match" for name, _ in scope["headers"])


def has(scope: Scope, *etags: str) -> bool:
    """Whether the client has an answer with one of these tags; weak comparison, as for any GET."""
    given = header_of(scope, b"if-none-match")
    if not given:
        return False
    wanted = {etag.removeprefix("W/") for etag in etags}
    return any(tag.strip().removeprefix("W/") in wanted for tag in given.split(","))
