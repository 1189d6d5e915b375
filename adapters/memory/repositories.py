"""GitHub in memory, and what is known of repositories."""

from datetime import datetime

from adapters.memory.database import MemoryDatabase
from application.ports.repositories import KnownRepositories, Repositories
from application.ports.system import Clock
from domain.errors import SourceError
from domain.reports import Traffic
from domain.repositories import KnownRepository, RepoFacts, Told


class MemoryRepositories(Repositories):
    """Answers with the facts it was given; of a repository it was not, that there is none.

    `failure` is raised instead of any answer, or `failures` for the repositories named there;
    `takes_s` is how long an answer takes. `asked` is every look, with what was known.
    """

    def __init__(self, clock: Clock) -> None:
        self.facts: dict[str, RepoFacts] = {}
        self.failure: SourceError | None = None
        self.failures: dict[str, SourceError] = {}
        self.takes_s = 0.0
        self.asked: list[tuple[str, Told | None]] = []
        self._clock = clock

    @property
    def host(self) -> str:
        """The name of this memory."""
        return "github.memory"

    async def look(
        self, name: str, known: Told | None, deadline: datetime, traffic: Traffic
    ) -> Told:
        """The facts, or what was known when they are the same."""
        self.asked.append((name, known))
        await self._clock.sleep(self.takes_s)
        failure = self.failures.get(name, self.failure)
        if failure is not None:
            # A budget that is spent lets nothing leave.
            traffic.requests += failure.retry_at is None
            raise failure
        traffic.requests += 1
        facts = self.facts.get(name)
        if known is not None and known.etag is not None and known.facts == facts:
            traffic.not_modified += 1
            return known
        return Told(facts, f'"{hash(facts):x}"' if facts else None)


class MemoryKnownRepositories(KnownRepositories):
    """Keeps what is known of repositories in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._known = database.repositories

    async def get(self, name: str) -> KnownRepository | None:
        """What is known of one repository."""
        return self._known.get(name)

    async def keep(self, known: KnownRepository) -> None:
        """Remember this of a repository."""
        self._known[known.name] = known

    async def forget(self, name: str) -> None:
        """Know nothing more of a repository."""
        self._known.pop(name, None)

    async def due(self, before: datetime) -> list[str]:
        """The repositories nobody has looked at since before then."""
        found = [known for known in self._known.values() if known.looked_at <= before]
        return [known.name for known in sorted(found, key=lambda known: known.looked_at)]
