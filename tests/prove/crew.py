"""The real processes of a proof, each of which can be killed at any time."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from entrypoints.config.setting_readers import CLIENT_LIMITS
from entrypoints.config.units import rates
from entrypoints.sample_upstream import SampleUpstream
from tests.prove.figures import reported as reported

ROOT = Path(__file__).parents[2]
CATCHMENT = str(Path(sys.executable).with_name("catchment"))
SECRET = "a secret for proofs, of more than 32 bytes"


def free_port() -> int:
    """Return an unused port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Member:
    """One process of the crew: started, killed, stopped, and started again.

    A process that ends by itself is started anew, as a container with a restart policy is: one
    that finds no database when it starts says so and ends.
    """

    def __init__(self, crew: "Crew", name: str, *arguments: str, **more: str) -> None:
        self.name = name
        self.process: asyncio.subprocess.Process | None = None
        self.url = ""
        self.restarts = 0
        self._keeping: asyncio.Task[None] | None = None
        self._crew = crew
        self._arguments = arguments
        self._more = more

    async def start(self) -> None:
        """Start the process."""
        await self._launch()
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while self.process is not None:
            await self.process.wait()
            self.restarts += 1
            await asyncio.sleep(0.5)
            await self._launch()

    async def _launch(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            CATCHMENT,
            *self._arguments,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **self._crew.settings, **self._more},
            cwd=self._crew.folder,
            stdout=self._crew.log,
            stderr=self._crew.log,
        )

    def send(self, number: int) -> None:
        """Send the process a signal, if it is still there."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def kill(self) -> None:
        """kill -9."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        self.send(signal.SIGKILL)
        if self.process is not None:
            await self.process.wait()


class Crew:
    """Processes of each kind over one database and, optionally, one broker."""

    def __init__(self, folder: str, upstream: SampleUpstream, **settings: str) -> None:
        host, port = upstream.address
        self.folder = folder
        self.log = Path(folder, "crew.log").open("ab")  # noqa: SIM115 - closed by dismissed
        self.upstream = upstream
        self.settings = {
            "CATCHMENT_SECRET_KEY": SECRET,
            "CATCHMENT_POSTS_URL": upstream.url("/posts"),
            "CATCHMENT_COINPAPRIKA_URL": "",
            "CATCHMENT_MIN_FETCH_INTERVAL": "0s",
            "CATCHMENT_FETCH_EVERY": "off",
            "CATCHMENT_FETCH_ON_START": "false",
            "CATCHMENT_GITHUB_URL": "",
            "CATCHMENT_CLIENT_LIMITS": ",".join(f"{n}=100000/1s" for n in rates(CLIENT_LIMITS)),
            "CATCHMENT_MAX_TASKS": "1000000",
            "CATCHMENT_RATE_LIMITS": f"{host}:{port}=100000/1s",
            **settings,
        }
        self.members: list[Member] = []

    async def api(self, **more: str) -> Member:
        """Start an API process and wait until it is ready."""
        port = free_port()
        member = Member(self, "api", "serve", CATCHMENT_PORT=str(port), **more)
        member.url = f"http://127.0.0.1:{port}"
        return await self._joined(member)

    async def worker(self, **more: str) -> Member:
        """Start a worker process."""
        return await self._joined(Member(self, "worker", "worker", **more))

    async def scheduler(self) -> Member:
        """Start a scheduler process."""
        return await self._joined(Member(self, "scheduler", "scheduler"))

    async def _joined(self, member: Member) -> Member:
        await member.start()
        self.members.append(member)
        if member.url:
            await ready(member.url)
        return member

    async def output_of(self, *arguments: str, typed: str = "") -> str:
        """Run a command to its end and return its output; it must succeed."""
        process = await asyncio.create_subprocess_exec(
            CATCHMENT,
            *arguments,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **self.settings},
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self.log,
        )
        said, _ = await asyncio.wait_for(process.communicate(typed.encode()), 60)
        assert process.returncode == 0, said
        return said.decode()

    @property
    def said(self) -> str:
        """Return the logs of all processes."""
        self.log.flush()
        return Path(self.folder, "crew.log").read_text(errors="replace")

    async def dismissed(self) -> None:
        """End every process."""
        for member in self.members:
            member.send(signal.SIGCONT)
            await member.kill()
        self.log.close()


@asynccontextmanager
async def crew(upstream: SampleUpstream | None = None, **settings: str) -> AsyncIterator[Crew]:
    """A crew without members yet; its log is shown when the block fails."""
    folder = tempfile.mkdtemp(prefix="catchment-prove-")
    async with contextlib.AsyncExitStack() as stack:
        if upstream is None:
            upstream = await stack.enter_async_context(SampleUpstream())
        hired = Crew(folder, upstream, **settings)
        try:
            yield hired
        except BaseException:
            print(Path(folder, "crew.log").read_text(errors="replace")[-4000:], file=sys.stderr)
            raise
        finally:
            await hired.dismissed()
            shutil.rmtree(folder, ignore_errors=True)


async def ready(url: str, seconds: float = 60.0) -> None:
    """Wait until an API is ready."""
    async with httpx.AsyncClient(timeout=2) as client, asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(url + "/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def jobs_of(url: str) -> list[dict[str, Any]]:
    """Return every job, newest first."""
    async with httpx.AsyncClient(timeout=30) as client:
        found: list[dict[str, Any]] = []
        link: str | None = url + "/fetch/jobs?limit=500"
        while link is not None:
            answer = await client.get(link)
            answer.raise_for_status()
            found += answer.json()["data"]
            following = answer.json()["page"]["next_cursor"]
            link = following and f"{url}/fetch/jobs?limit=500&cursor={following}"
        return found
