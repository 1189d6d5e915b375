"""How GitHub is asked for repositories, and where what it said is kept."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.reports import Traffic
from domain.repositories import KnownRepository, Told


class Repositories(Protocol):
    """GitHub, or whatever answers like it."""

    @property
    @abstractmethod
    def host(self) -> str:
        """Whom it asks: the host, as politeness budgets name it."""

    @abstractmethod
    async def look(
        self, name: str, known: Told | None, deadline: datetime, traffic: Traffic
    ) -> Told:
        """What GitHub says of a repository now; `known` itself when that has not changed.

        That there is no such repository is an answer. Adds to `traffic` what it costs, also when
        it fails with SourceUnavailable, SourceBlocked, SourceTimedOut, SourceRefused or
        UnexpectedContent.
        """


class KnownRepositories(Protocol):
    """What is known of repositories, each by its name as tasks spell it."""

    @abstractmethod
    async def get(self, name: str) -> KnownRepository | None:
        """What is known of one repository, if anything is."""

    @abstractmethod
    async def keep(self, known: KnownRepository) -> None:
        """Remember this of a repository, in place of what was known."""

    @abstractmethod
    async def forget(self, name: str) -> None:
        """Know nothing more of a repository."""

    @abstractmethod
    async def due(self, before: datetime) -> list[str]:
        """The repositories nobody has looked at since before then, longest ago first."""
