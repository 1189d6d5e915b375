"""Quarantine: the use cases of listing and replaying rejected records, and of rebuilding."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from application.ingest.fetch import Fetch, Fetched
from application.ports.ingest import Quarantine, Quarantined
from domain.dataset import Role
from domain.errors import CatchmentError, NoSources, UnknownDataset, UnknownRecord
from domain.jobs import Mode
from domain.reports import FetchReport


class ListQuarantine:
    """The use case that lists the records in quarantine, for admins, newest first."""

    def __init__(self, quarantine: Quarantine, known: Collection[str]) -> None:
        self._quarantine = quarantine
        self._known = known

    async def __call__(
        self,
        viewer: Role,
        limit: int,
        dataset: str | None = None,
        source: str | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> list[Quarantined]:
        """Return the records, those after `before` if given, also of removed datasets and sources.

        Raise LoginRequired, Forbidden or UnknownDataset.
        """
        viewer.require(Role.ADMIN)
        if dataset is not None:
            _check(dataset, self._known)
        return await self._quarantine.recent(dataset, limit, source, before)


class ReplayQuarantine:
    """The use case that reprocesses the payloads of rejected records, for admins.

    Records that can be read now are stored and leave the quarantine; the others stay. A running
    fetch is waited for; raises DatasetBusy if a fetch is deferred.
    """

    def __init__(self, quarantine: Quarantine, fetches: Mapping[str, Fetch[Any]]) -> None:
        self._quarantine = quarantine
        self._fetches = fetches

    async def one(self, viewer: Role, rejection_id: int) -> Fetched:
        """Replay the payload of one record; raise UnknownRecord if it is not in quarantine."""
        viewer.require(Role.ADMIN)
        found = await self._quarantine.get(rejection_id)
        if found is None:
            raise UnknownRecord("there is no such record in quarantine; it may have left it")
        fetch = _fetch_of(found.dataset, self._fetches)
        if found.source not in fetch.sources:
            raise NoSources(f"the source {found.source} is switched off, and only it can read this")
        return await fetch.reprocess(viewer, Mode.REPLAY, found.receipt)

    async def dataset(self, viewer: Role, name: str) -> Fetched:
        """Replay all records in quarantine of one dataset."""
        viewer.require(Role.ADMIN)
        return await _fetch_of(name, self._fetches).reprocess(viewer, Mode.REPLAY)

    async def everything(self, viewer: Role) -> list[Fetched]:
        """Replay every dataset with records in quarantine; an error is raised after the others."""
        viewer.require(Role.ADMIN)
        replayed: list[Fetched] = []
        failed: CatchmentError | None = None
        # A copy: a dataset may be removed meanwhile.
        for name, fetch in list(self._fetches.items()):
            try:
                if fetch.sources and await self._quarantine.count(name):
                    replayed.append(await fetch.reprocess(viewer, Mode.REPLAY))
            except CatchmentError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return replayed


class RebuildDataset:
    """The use case that reprocesses every stored payload of a dataset, for admins.

    Rows of removed payloads are not changed.
    """

    def __init__(self, fetches: Mapping[str, Fetch[Any]]) -> None:
        self._fetches = fetches

    async def __call__(self, viewer: Role, name: str) -> Fetched:
        """Rebuild a dataset; a running fetch is waited for."""
        viewer.require(Role.ADMIN)
        return await _fetch_of(name, self._fetches).reprocess(viewer, Mode.REBUILD)

    async def dry_run(self, viewer: Role, name: str) -> FetchReport:
        """Return what a rebuild would change; nothing is written."""
        viewer.require(Role.ADMIN)
        return await _fetch_of(name, self._fetches).dry_run(viewer)


def _fetch_of(name: str, fetches: Mapping[str, Fetch[Any]]) -> Fetch[Any]:
    _check(name, fetches)
    return fetches[name]


def _check(name: str, known: Collection[str]) -> None:
    if name not in known:
        raise UnknownDataset.among(known)
