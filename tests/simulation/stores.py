"""Where a simulated machine keeps what it knows: in memory, or in a SQLite file."""

import asyncio
import atexit
from abc import abstractmethod
from functools import cache
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Protocol

from adapters.memory.database import MemoryDatabase
from adapters.memory.system import SteerableClock
from adapters.sql.engine.sqlite.database import SqliteDatabase
from adapters.sql.schema.migrate import migrate
from domain.builtin.posts import POSTS
from tests.contract.backends import Backend, in_memory, over
from tests.simulation.datasets import JOINT, RATE

#: Where there is memory that looks like a disk, nobody waits for the disk.
_QUICK = next((path for path in ("/dev/shm",) if Path(path).is_dir()), None)  # noqa: S108


class Storage(Protocol):
    """What outlives a machine that loses its power."""

    @abstractmethod
    async def open(self, clock: SteerableClock) -> Backend:
        """The adapters over what is there now; what was open before is left as it lies."""

    @abstractmethod
    async def close(self) -> None:
        """Forget all of it."""


class InMemory(Storage):
    """A database in memory, which outlives the machine all the same."""

    def __init__(self) -> None:
        self._database = MemoryDatabase()

    async def open(self, clock: SteerableClock) -> Backend:
        """The adapters over it."""
        return in_memory(self._database, clock, RATE)

    async def close(self) -> None:
        """Nothing to do."""


class InSqlite(Storage):
    """A SQLite file.

    It is opened again as a copy of what lies on the disk at that moment, so that nothing the lost
    connections did not commit, or do from now on, is ever seen.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="catchment-simulation-", dir=_QUICK)
        self._opened: list[SqliteDatabase] = []

    async def open(self, clock: SteerableClock) -> Backend:
        """The adapters over a copy of the file as it is now."""
        path = Path(self._folder.name, f"{len(self._opened)}.db")
        if self._opened:
            left = self._opened[-1].path
            copyfile(left, path)
            if _wal(left).exists():
                copyfile(_wal(left), _wal(path))
        else:
            copyfile(_empty(), path)
        self._opened.append(SqliteDatabase(path))
        return over(self._opened[-1], clock, RATE)

    async def close(self) -> None:
        """Close the file that is open, and remove all of them."""
        await self._opened[-1].close()
        self._folder.cleanup()


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@cache
def _empty() -> Path:
    folder = TemporaryDirectory(prefix="catchment-simulation-")
    atexit.register(folder.cleanup)
    return Path(folder.name, "empty.db")


def prepare(kind: str) -> None:
    """Make what every simulation of this kind begins with, once a process and in real time."""
    if kind == "sqlite" and not _empty().exists():
        asyncio.run(_migrated())


async def _migrated() -> None:
    database = SqliteDatabase(_empty())
    await migrate(database, (POSTS, JOINT))
    await database.close()


STORAGES: dict[str, type[InMemory] | type[InSqlite]] = {"memory": InMemory, "sqlite": InSqlite}
