"""RepositoryLookup: one request for concurrent lookups of a repository, none while fresh."""

from datetime import datetime, timedelta
from functools import partial

from application.concurrency import SingleFlight
from application.ports.system import Clock
from application.ports.tasks import KnownRepositories, Repositories
from domain.errors import SourceRefused
from domain.reports import Traffic
from domain.repositories import KnownRepository, LookupResult


class RepositoryLookup:
    """The lookup of one repository, with a request if the last one is `fresh_for` ago.

    A refusal is repeated for the same time, without a request.
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
        self._lookups: SingleFlight[KnownRepository] = SingleFlight()
        self._refused: dict[str, tuple[SourceRefused, datetime]] = {}

    @property
    def host(self) -> str:
        """Return the host that lookups are sent to."""
        return self._repositories.host

    async def __call__(self, name: str, deadline: datetime, traffic: Traffic) -> KnownRepository:
        """Return the current state of a repository; raise SourceError if the lookup fails."""
        return await self._lookups(name, partial(self._lookup, name, deadline, traffic))

    async def due(self) -> list[str]:
        """Return the known repositories that are no longer fresh, longest ago first."""
        now = self._clock.now()
        return await self._known.due(now - self._fresh_for, now)

    async def forget(self, name: str) -> None:
        """Delete the state of a repository, because no task refers to it."""
        self._refused.pop(name, None)
        await self._known.forget(name)

    async def close(self) -> None:
        """Cancel the running lookups."""
        await self._lookups.close()

    async def _lookup(self, name: str, deadline: datetime, traffic: Traffic) -> KnownRepository:
        known = await self._known.get(name)
        if known is not None and known.is_fresh(self._clock.now(), self._fresh_for):
            return known
        result = await self._request(name, known, deadline, traffic)
        now = self._clock.now()
        first = KnownRepository(name=name, result=result, since=now, checked_at=now)
        current = first if known is None else known.after(result, now)
        await self._known.keep(current)
        return current

    async def _request(
        self, name: str, known: KnownRepository | None, deadline: datetime, traffic: Traffic
    ) -> LookupResult:
        if name in self._refused:
            refused, at = self._refused[name]
            if abs(self._clock.now() - at) < self._fresh_for:
                raise SourceRefused(refused.detail, code=refused.code)
        try:
            before = known.result if known else None
            return await self._repositories.lookup(name, before, deadline, traffic)
        except SourceRefused as refused:
            # A refusal with a time is not about this repository: the host itself is blocked.
            if refused.retry_at is None:
                self._refused[name] = refused, self._clock.now()
            raise
