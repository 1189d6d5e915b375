"""Clients who ask for fetches, ask again when they hear nothing, and remember what they heard."""

import asyncio
from http import HTTPStatus
from typing import Any

from adapters.http.protocol.problems import Reply
from domain.dataset import Role
from domain.errors import CatchmentError
from tests.simulation.world import Api, World

_TRIES = 6


class Clients:
    """All clients there are, and what was promised to them."""

    def __init__(self, world: World) -> None:
        self.accepted: list[str] = []
        self.asked = 0
        self._world = world
        self._fate = world.fate
        self._tasks: list[asyncio.Task[None]] = []

    def come(self) -> None:
        """One more client comes and wants something."""
        self.asked += 1
        dataset = self._fate.pick(("posts", "joint"))
        wishes = (self._task, self._task, self._keyed, self._keyed, self._sync, self._cancel)
        wish = self._fate.pick(wishes)
        coming = wish(dataset, self.asked)
        self._tasks.append(asyncio.get_running_loop().create_task(coming))

    async def leave(self) -> None:
        """Return when nobody waits for anything any more."""
        for task in self._tasks:
            if not task.done():
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in self._tasks:
            if not task.cancelled() and task.exception() is not None:
                self._world.witness.breaks("P0", f"a client was told {task.exception()!r}")

    # ------------------------------------------------------------ what they want

    async def _task(self, dataset: str, _: int) -> None:
        async def ask(api: Api) -> None:
            force = self._fate.toss(0.2)
            role = Role.ADMIN if force else Role.ANYONE
            fetched = await api.fetches[dataset].start(role, force)
            self.accepted.append(fetched.job.id)

        await self._tried(ask)

    async def _keyed(self, dataset: str, number: int) -> None:
        key = f"key {number}"
        replies: set[bytes] = set()

        async def ask(api: Api) -> None:
            reply = await api.once_only(
                _scope(dataset), key.replace(" ", "-"), self._make(api, dataset)
            )
            if reply.status == HTTPStatus.ACCEPTED:
                self.accepted.append(reply.body.decode())
                replies.add(reply.body)

        at_once = [self._tried(ask) for _ in range(1 + int(self._fate.toss(0.3)))]
        await asyncio.gather(*at_once)
        if self._fate.toss():
            await self._tried(ask)

    def _make(self, api: Api, dataset: str) -> Any:
        async def make(job_id: str | None) -> Reply:
            fetched = await api.fetches[dataset].start(job_id=job_id)
            return Reply(int(HTTPStatus.ACCEPTED), {}, fetched.job.id.encode())

        return make

    async def _sync(self, dataset: str, _: int) -> None:
        async def ask(api: Api) -> None:
            fetched = await api.fetches[dataset]()
            if not fetched.job.status.is_final:
                self.accepted.append(fetched.job.id)

        await self._tried(ask, tries=1)

    async def _cancel(self, _: str, __: int) -> None:
        async def ask(api: Api) -> None:
            known = sorted(self._world.lookout.jobs)
            if known:
                await api.cancel_job(known[-1], Role.ADMIN)

        await self._tried(ask, tries=1)

    # ------------------------------------------------------------ asking until heard

    async def _tried(self, ask: Any, tries: int = _TRIES) -> None:
        """Ask, and ask again whenever the answer is an error or never comes."""
        for _ in range(tries):
            apis = [p for p in self._world.processes.values() if isinstance(p, Api)]
            if apis and await self._answered(self._fate.pick(apis), ask):
                return
            await self._world.clock.sleep(self._fate.between(0.1, 4.0))

    async def _answered(self, api: Api, ask: Any) -> bool:
        asking = api.start(ask(api))
        asking.add_done_callback(_heard)
        patience = self._fate.between(0.2, 40.0)
        await asyncio.wait([asking], timeout=patience)
        if not asking.done():
            asking.cancel()  # the client has left
            await asyncio.wait([asking])
        if asking.cancelled():
            return False
        error = asking.exception()
        if error is not None and not isinstance(error, CatchmentError):
            self._world.witness.breaks("P0", f"{api.name} answered {error!r}")
        return error is None


def _heard(asking: "asyncio.Task[Any]") -> None:
    if not asking.cancelled():
        asking.exception()


def _scope(dataset: str) -> dict[str, Any]:
    """A request as an ASGI server tells of it."""
    return {
        "method": "POST",
        "path": f"/fetch/{dataset}",
        "query_string": b"mode=task",
        "headers": [],
    }
