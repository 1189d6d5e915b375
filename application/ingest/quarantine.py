"""Quarantine: what was rejected, and reading it again once the reason is gone."""

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
    """Lists what waits in quarantine, for admins, newest first."""

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
        """The rejected records, after `before` if given; LoginRequired, Forbidden, UnknownDataset.

        Records of a dataset or a source that is there no more are listed as long as they wait.
        """
        viewer.require(Role.ADMIN)
        if dataset is not None:
            _check(dataset, self._known)
        return await self._quarantine.recent(dataset, limit, source, before)


class ReplayQuarantine:
    """Reads the payloads of rejected records again, for admins; no source is asked.

    What can be read now is stored and leaves the quarantine; what cannot, stays there. A fetch that
    runs comes first; DatasetBusy when one waits for its source.
    """

    def __init__(self, quarantine: Quarantine, fetches: Mapping[str, Fetch[Any]]) -> None:
        self._quarantine = quarantine
        self._fetches = fetches

    async def one(self, viewer: Role, rejection_id: int) -> Fetched:
        """Replay the payload of one rejected record; UnknownRecord when it does not wait."""
        viewer.require(Role.ADMIN)
        found = await self._quarantine.get(rejection_id)
        if found is None:
            raise UnknownRecord("no such record waits in quarantine; it may have left it")
        fetch = _fetch_of(found.dataset, self._fetches)
        if found.source not in fetch.sources:
            raise NoSources(
                f"the source {found.source} is switched off, and it alone can read this"
            )
        return await fetch.reprocess(viewer, Mode.REPLAY, found.receipt)

    async def dataset(self, viewer: Role, name: str) -> Fetched:
        """Replay all that waits of one dataset."""
        viewer.require(Role.ADMIN)
        return await _fetch_of(name, self._fetches).reprocess(viewer, Mode.REPLAY)

    async def everything(self, viewer: Role) -> list[Fetched]:
        """Replay every dataset of which something waits; an error is raised after the others."""
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
    """Reads every kept payload of a dataset again, for admins; no source is asked.

    Rows that the payloads do not give, because they are kept no more, stay as they are.
    """

    def __init__(self, fetches: Mapping[str, Fetch[Any]]) -> None:
        self._fetches = fetches

    async def __call__(self, viewer: Role, name: str) -> Fetched:
        """Rebuild a dataset; a fetch that runs comes first, as for a replay."""
        viewer.require(Role.ADMIN)
        return await _fetch_of(name, self._fetches).reprocess(viewer, Mode.REBUILD)

    async def dry_run(self, viewer: Role, name: str) -> FetchReport:
        """What rebuilding would change; nothing is written."""
        viewer.require(Role.ADMIN)
        return await _fetch_of(name, self._fetches).dry_run(viewer)


def _fetch_of(name: str, fetches: Mapping[str, Fetch[Any]]) -> Fetch[Any]:
    _check(name, fetches)
    return fetches[name]


def _check(name: str, known: Collection[str]) -> None:
    if name not in known:
        raise UnknownDataset.among(known)
