"""Looking at repositories: one request for all who want to know the same, and none while fresh."""

from datetime import datetime, timedelta
from functools import partial

from application.concurrency import SingleFlight
from application.ports.system import Clock
from application.ports.tasks import KnownRepositories, Repositories
from domain.errors import SourceRefused
from domain.reports import Traffic
from domain.repositories import KnownRepository, LookupResult


class RepositoryLookup:
    """Looks at one repository: asks for it unless it was looked at less than `fresh_for` ago.

    A refusal is an answer as well: it is given again for as long, without asking.
    """

    def __init__(
        self,
        repositories: Repositories,
        known: KnownRepositories,
        clock: Clock,
        fresh_for: timedelta,
    ) -> None:
        self._repositories = repositories
        self._known = known
        self._clock = clock
        self._fresh_for = fresh_for
        self._looks: SingleFlight[KnownRepository] = SingleFlight()
        self._refused: dict[str, tuple[SourceRefused, datetime]] = {}

    @property
    def host(self) -> str:
        """The host that is asked."""
        return self._repositories.host

    async def __call__(self, name: str, deadline: datetime, traffic: Traffic) -> KnownRepository:
        """What is known of the repository now; the errors of a source when it cannot be asked."""
        return await self._looks(name, partial(self._look, name, deadline, traffic))

    async def due(self) -> list[str]:
        """The known repositories that are not fresh any more, longest ago first."""
        return await self._known.due(self._clock.now() - self._fresh_for)

    async def forget(self, name: str) -> None:
        """Know nothing more of a repository, because no task speaks of it."""
        self._refused.pop(name, None)
        await self._known.forget(name)

    async def close(self) -> None:
        """Stop looking."""
        await self._looks.close()

    async def _look(self, name: str, deadline: datetime, traffic: Traffic) -> KnownRepository:
        known = await self._known.get(name)
        if known is not None and known.is_fresh(self._clock.now(), self._fresh_for):
            return known
        result = await self._ask(name, known, deadline, traffic)
        now = self._clock.now()
        first = KnownRepository(name=name, result=result, since=now, checked_at=now)
        current = first if known is None else known.after(result, now)
        await self._known.keep(current)
        return current

    async def _ask(
        self, name: str, known: KnownRepository | None, deadline: datetime, traffic: Traffic
    ) -> LookupResult:
        if name in self._refused:
            refused, at = self._refused[name]
            if abs(self._clock.now() - at) < self._fresh_for:
                raise SourceRefused(refused.detail, code=refused.code)
        try:
            before = known.result if known else None
            return await self._repositories.look(name, before, deadline, traffic)
        except SourceRefused as refused:
            # With a time it is not about this repository: the host itself is left alone.
            if refused.retry_at is None:
                self._refused[name] = refused, self._clock.now()
            raise
