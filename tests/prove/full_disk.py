"""P23: a full disk is answered with 507, damages nothing, and is over when there is room."""

import asyncio
import contextlib
import os
import sqlite3
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.prove.clients import client
from tests.prove.crew import CATCHMENT, ROOT, Crew, Member, crew, free_port, ready
from tests.prove.figures import Figure, reported
from tests.prove.servers import Servers

ROOM = "4m"
LONG = "x" * 9000


class Confined(Member):
    """An API in a mount namespace of its own, in which its database is on a disk of four MB."""

    async def _launch(self) -> None:
        folder = self._more["FOLDER"]
        script = f'mount -t tmpfs -o size={ROOM} tmpfs "{folder}" && exec "$@"'
        self.process = await asyncio.create_subprocess_exec(
            *("unshare", "--mount", "sh", "-c", script, "sh", CATCHMENT, "serve"),
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **self._crew.settings, **self._more},
            cwd=self._crew.folder,
            stdout=self._crew.log,
            stderr=self._crew.log,
        )


async def prove(servers: Servers) -> Figure:
    """Fill a small disk by writing tasks, read and write while it is full, then make room."""
    with tempfile.TemporaryDirectory(prefix="catchment-prove-") as folder:
        if not await _may_mount(folder):
            return reported("P23", "not_tried:no_mounts_here", "-", ok=True)
        settings = {"CATCHMENT_DATABASE_URL": f"sqlite:///{folder}/c.db"}
        async with crew(**settings) as hired:
            api = await _started(hired, folder)
            return await _filled(api, Path(f"/proc/{api.process.pid}/root{folder}"))  # type: ignore[union-attr]


async def _started(hired: Crew, folder: str) -> Member:
    port = free_port()
    api = Confined(hired, "api", CATCHMENT_PORT=str(port), FOLDER=folder)
    api.url = f"http://127.0.0.1:{port}"
    await api.start()
    hired.members.append(api)
    await ready(api.url)
    return api


async def _filled(api: Member, disk: Path) -> Figure:
    statuses: Counter[int] = Counter()
    async with client(api.url) as asking:
        (await asking.post("/fetch")).raise_for_status()
        disk.joinpath("ballast").write_bytes(b"\0" * 1_000_000)
        kept = []
        while statuses[507] < 20 and statuses.total() < 2000:
            body = {"title": "a task", "repository": "a/b", "description": LONG}
            answer = await asking.post("/tasks", json=body)
            statuses[answer.status_code] += 1
            kept += [answer.json()["id"]] if answer.status_code == 201 else []
        full = await asking.post("/fetch")
        read = await asking.get("/data?limit=5")
        disk.joinpath("ballast").unlink()
        again = [(await asking.post("/tasks", json=body)).status_code for _ in range(10)]
        fetched = (await asking.post("/fetch")).status_code
        lost = sum([(await asking.get(f"/tasks/{each}")).status_code != 200 for each in kept])
    with contextlib.closing(sqlite3.connect(disk / "c.db")) as connection:
        [[integrity]] = connection.execute("PRAGMA integrity_check")
    others = sum(count for status, count in statuses.items() if status not in (201, 507))
    recovered = int(again == [201] * 10 and fetched == 200)
    sound = integrity == "ok" and not lost and not others and api.restarts == 0
    return reported(
        "P23",
        f"corrupt:{int(not sound)},recovered:{recovered},reads_while_full:{read.status_code}",
        "corrupt:0,recovered:1,reads_while_full:200",
        sound and recovered and read.status_code == 200,
        answers=dict(statuses),
        fetch_while_full=full.status_code,
        lost=lost,
    )


async def _may_mount(folder: str) -> bool:
    if sys.platform != "linux":
        return False
    script = f'mount -t tmpfs tmpfs "{folder}"'
    with contextlib.suppress(OSError):
        trying = await asyncio.create_subprocess_exec(
            *("unshare", "--mount", "sh", "-c", script), stderr=asyncio.subprocess.DEVNULL
        )
        return await trying.wait() == 0
    return False
