"""Repositories: their names, and the facts that GitHub last returned."""

import re
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from domain.fields import Int64

#: An owner is letters, digits and single hyphens; a name may have dots and underscores, too.
_NAME = re.compile(
    r"(?=[^/]{1,39}/)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
)


def is_repository(text: str) -> bool:
    """Return whether a text is a repository's name, `owner/name`, by GitHub's rules."""
    return _NAME.fullmatch(text) is not None


class Enrichment(StrEnum):
    """The state of a task's facts; `pending` and `unavailable` are looked up again later."""

    OK = "ok"
    PENDING = "pending"
    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not_found"

    @property
    def is_settled(self) -> bool:
        """Return whether GitHub has answered."""
        return self in (Enrichment.OK, Enrichment.NOT_FOUND)


class RepoFacts(msgspec.Struct, frozen=True):
    """The facts of a repository."""

    description: str | None
    stars: Int64
    language: str | None


class LookupResult(msgspec.Struct, frozen=True):
    """A response of GitHub: the facts, or None if the repository does not exist.

    `etag` is the validator for the next request, if any, and `url` the only address it is of:
    that of the repository's name when empty, and another one once the repository was renamed.
    """

    facts: RepoFacts | None
    etag: str | None = None
    url: str = ""


class Finding(msgspec.Struct, frozen=True):
    """The result of a lookup for a task; `since` is when GitHub first returned these facts."""

    enrichment: Enrichment
    facts: RepoFacts | None = None
    since: datetime | None = None


class KnownRepository(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a repository, shared by all of its tasks.

    `since` is when GitHub first returned this result, `checked_at` when it last did.
    """

    name: str
    result: LookupResult
    since: datetime
    checked_at: datetime

    @property
    def finding(self) -> Finding:
        """Return the finding for its tasks."""
        if self.result.facts is None:
            return Finding(Enrichment.NOT_FOUND)
        return Finding(Enrichment.OK, self.result.facts, self.since)

    def is_fresh(self, now: datetime, fresh_for: timedelta) -> bool:
        """Return whether it was looked up so recently that no request is needed."""
        # A clock that was set back must not prevent lookups until it has caught up.
        return abs(now - self.checked_at) < fresh_for

    def after(self, result: LookupResult, now: datetime) -> "KnownRepository":
        """Return the state after another response of GitHub."""
        since = self.since if result.facts == self.result.facts else now
        return msgspec.structs.replace(self, result=result, since=since, checked_at=now)
