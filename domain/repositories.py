"""Repositories: how they are named, and what GitHub told of one the last time it was asked."""

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
    """Whether a text is a repository's name, `owner/name`, by GitHub's rules."""
    return _NAME.fullmatch(text) is not None


class Enrichment(StrEnum):
    """How a task's repository stands; `pending` and `unavailable` are looked at again later."""

    OK = "ok"
    PENDING = "pending"
    UNAVAILABLE = "unavailable"
    NOT_FOUND = "not_found"

    @property
    def is_settled(self) -> bool:
        """Whether GitHub has answered."""
        return self in (Enrichment.OK, Enrichment.NOT_FOUND)


class RepoFacts(msgspec.Struct, frozen=True):
    """What GitHub says of a repository."""

    description: str | None
    stars: Int64
    language: str | None


class LookupResult(msgspec.Struct, frozen=True):
    """An answer of GitHub's: the facts, or None where there is no such repository.

    `etag` is what to ask with the next time, if anything.
    """

    facts: RepoFacts | None
    etag: str | None = None


class Finding(msgspec.Struct, frozen=True):
    """What came of looking at a repository; `told_at` is when GitHub first gave these facts."""

    enrichment: Enrichment
    facts: RepoFacts | None = None
    told_at: datetime | None = None


class KnownRepository(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a repository, once for all of its tasks.

    `told_at` is when GitHub first answered so, `looked_at` when it last did.
    """

    name: str
    told: LookupResult
    told_at: datetime
    looked_at: datetime

    @property
    def finding(self) -> Finding:
        """What its tasks should know."""
        if self.told.facts is None:
            return Finding(Enrichment.NOT_FOUND)
        return Finding(Enrichment.OK, self.told.facts, self.told_at)

    def is_fresh(self, now: datetime, fresh_for: timedelta) -> bool:
        """Whether it was looked at so recently that nobody need look again."""
        # A clock that was set back must not keep us from looking until it has caught up.
        return abs(now - self.looked_at) < fresh_for

    def after(self, told: LookupResult, now: datetime) -> "KnownRepository":
        """What is known once GitHub has answered again."""
        told_at = self.told_at if told.facts == self.told.facts else now
        return msgspec.structs.replace(self, told=told, told_at=told_at, looked_at=now)
