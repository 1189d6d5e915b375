"""An ASGI client, for requests and answers that HTTP clients do not allow or show."""

import asyncio
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

from adapters.memory.system import SteerableClock


class Conversation:
    """A request to an application, and the messages of its answer."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.messages: list[MutableMapping[str, Any]] = []
        #: The client disconnects after so many messages.
        self.leaves_after: int | None = None
        self._left = asyncio.Event()

    async def get(
        self, url: str | bytes, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> int:
        """Send a request with exactly this target, and return the status."""
        target = url if isinstance(url, bytes) else url.encode()
        path, _, query = target.partition(b"?")
        given = {"host": "catchment.test", **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path.decode(errors="replace")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(n.encode(), v.encode("latin-1")) for n, v in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        await self._app(scope, self._receive, self._send)
        return self.status

    async def _receive(self) -> MutableMapping[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.messages.append(message)
        if len(self.messages) == self.leaves_after:
            self._left.set()
            await SteerableClock().settle()

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        """The body as far as it arrived."""
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def finished(self) -> bool:
        """Whether the answer is complete."""
        return len(self.messages) > 1 and not self.messages[-1].get("more_body", False)
