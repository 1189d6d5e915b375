"""One connection to the protocol without a socket: bytes go in, answers and pauses come out."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from adapters.http.protocol.asgi import REFUSAL
from adapters.http.protocol.http1 import Http1Protocol
from adapters.memory.system import SteerableClock

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Timers(asyncio.AbstractEventLoop):
    """The running loop, whose timers go off when the test says so."""

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[tuple[float, asyncio.TimerHandle]] = []

    def create_task(self, coroutine: Any, **named: Any) -> Any:
        return asyncio.get_running_loop().create_task(coroutine, **named)

    def call_later(self, delay: float, callback: Any, *args: Any, **_: Any) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self._now + delay, callback, args, self)
        self._timers.append((self._now + delay, handle))
        return handle

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def elapse(self, seconds: float) -> None:
        """Let so much time pass, and every timer go off that is due by then."""
        until = self._now + seconds
        while due := sorted((at, n) for n, (at, _) in enumerate(self._timers) if at <= until):
            self._now, handle = self._timers.pop(due[0][1])
            if not handle.cancelled():
                handle._run()
        self._now = until


class Wire(asyncio.Transport):
    """A connection whose other end is the test; `app` answers, and is asked one request at once."""

    def __init__(self, app: "App | None" = None) -> None:
        super().__init__()
        self.app = app or App()
        self.timers = Timers()
        self.answered = b""
        self.unsent = 0
        self.is_reading = True
        self.is_ended = False
        self.is_closed = False
        self.is_broken_off = False
        config = Config(self.app, log_config=None, ws="none", lifespan="off", timeout_keep_alive=30)
        config.load()
        self.protocol = Http1Protocol(config, ServerState(), {}, _loop=self.timers)
        self.protocol.connection_made(self)

    async def send(self, *pieces: bytes) -> bytes:
        """Send these, and return what is answered by the time nothing more happens."""
        answered = len(self.answered)
        for piece in pieces:
            self.protocol.data_received(piece)
            await SteerableClock().settle()
        return self.answered[answered:]

    async def elapse(self, seconds: float) -> bytes:
        """Let time pass, and return what is answered meanwhile."""
        answered = len(self.answered)
        self.timers.elapse(seconds)
        await SteerableClock().settle()
        return self.answered[answered:]

    def leave(self) -> None:
        """Close the other end."""
        self.protocol.connection_lost(None)

    # ------------------------------------------------------------ what the protocol does with it

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def write(self, data: Any) -> None:
        assert not self.is_ended, "nothing is written behind the end"
        self.answered += bytes(data)

    def write_eof(self) -> None:
        self.is_ended = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_broken_off = True


class App:
    """An application that answers each request with its target and body, once it may."""

    def __init__(self, reads: bool = True, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.scopes: list[Scope] = []
        self.let = asyncio.Event()
        self.let.set()
        self.left = 0
        self._reads = reads
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if REFUSAL in scope:
            await self._answer(send, f"{scope[REFUSAL].code}: {scope[REFUSAL].detail}".encode())
            return
        body, more = b"", self._reads
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            body += message["body"]
            more = message["more_body"]
        await self.let.wait()
        target = scope["raw_path"] + (
            b"?" + scope["query_string"] if scope["query_string"] else b""
        )
        await self._answer(send, b"<%b %b>" % (target, body))

    async def _answer(self, send: Send, body: bytes) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    @property
    def asked(self) -> list[str]:
        """The paths asked for, or why there is none."""
        return [
            scope[REFUSAL].code if REFUSAL in scope else scope["raw_path"].decode()
            for scope in self.scopes
        ]
