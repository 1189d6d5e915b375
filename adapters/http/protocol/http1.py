"""The HTTP/1.1 protocol of the server: uvicorn's, with limits on the size and time of requests.

A connection handles one request at a time; pipelined requests wait unread. The parser is given
heads only, and `framing` reads bodies, so the end of each request is known. An offer to upgrade is
ignored (RFC 9110, 7.8), and the body behind it is read like any other.
"""

import asyncio
import urllib.parse
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from adapters.http.protocol.asgi import REFUSAL
from adapters.http.protocol.framing import (
    MAX_HEAD_BYTES,
    MAX_URL_BYTES,
    Body,
    body_of,
    malformed,
)
from adapters.http.protocol.problems import Refusal
from adapters.http.protocol.transport import (
    GentleTransport,
    HeldFlow,
    UnreadWatch,
    UntilClosedCycle,
)

#: The time limit of a head, from its first byte or the start of the connection.
HEAD_S = 10.0
#: The time limit of a body, read or not; routes that read one have a shorter limit.
BODY_S = 15.0
#: How long data is discarded after a refusal: closing at once resets the connection, and the client
#: may lose the response.
LINGER_S = 2.0

_END = b"\r\n\r\n"
_VERSIONS = ("1.0", "1.1")


class _Expected(Enum):
    """What a connection reads next."""

    HEAD = auto()
    BODY = auto()
    #: Nothing until the current request has its response.
    TURN = auto()
    #: Nothing more; what arrives is discarded.
    END = auto()


class _RequestLine(NamedTuple):
    """The parser's findings about a complete head."""

    method: str
    version: str
    keep_alive: bool


class Http1Protocol(HttpToolsProtocol):
    """A connection that handles one request at a time, within limits of size and time."""

    flow: HeldFlow

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._expected = _Expected.HEAD
        self._is_reusable = False
        self._head_bytes = 0
        self._head_end = b""
        self._line: _RequestLine | None = None
        self._body: Body = body_of(())
        self._behind = b""
        self._deadline: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit of the first head."""
        super().connection_made(transport)
        self.flow = HeldFlow(transport)
        self._unread = UnreadWatch(transport, self.loop)
        self._within(HEAD_S, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop pipelined data and timers, and notify the current request."""
        super().connection_lost(exc)
        self._expected, self._behind = _Expected.END, b""
        self._in_time()
        self._unset_keepalive_if_required()
        self._unread.stop()

    def data_received(self, data: bytes) -> None:
        """Process data from the client."""
        while data:
            if self._expected is _Expected.HEAD:
                data = self._take_head(data)
            elif self._expected is _Expected.BODY:
                data = self._take_body(data)
            elif self._expected is _Expected.TURN:
                self._behind += data
                self.flow.hold()
                return
            else:
                return

    def _within(self, seconds: float, late: Callable[[], None]) -> None:
        self._in_time()
        self._deadline = self.loop.call_later(seconds, late)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # ------------------------------------------------------------ heads

    def _take_head(self, data: bytes) -> bytes:
        """Parse the part that belongs to the head, and return the rest."""
        if not self._head_bytes:
            # Some clients send a line end after a body (RFC 9112, 2.2).
            data = data.lstrip(b"\r\n")
            if not data:
                return data
            self._unset_keepalive_if_required()
            if not self._is_reusable:
                self.parser = httptools.HttpRequestParser(self)
            self._is_reusable = False
            self._line, self._head_end = None, b""
        found = (self._head_end + data).find(_END)
        end = len(data) if found < 0 else found + len(_END) - len(self._head_end)
        head, behind = data[:end], data[end:]
        left = MAX_HEAD_BYTES - self._head_bytes
        self._head_bytes += len(head)
        if not self._parsed(head[:left]):
            return b""
        if len(head) > left:
            self._refuse(self._too_large())
        elif self._line is not None:
            self._begin(self._line)
        else:
            self._head_end = (self._head_end + head)[1 - len(_END) :]
            if self._deadline is None:
                self._within(HEAD_S, self._head_is_late)
        return behind

    def _parsed(self, head: bytes) -> bool:
        try:
            self.parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            self._is_reusable = False  # it expects another protocol now
        except httptools.HttpParserInvalidURLError:
            self._refuse(_unreadable_url(head))
            return False
        except httptools.HttpParserError:
            self._refuse(malformed("these bytes are not a request of HTTP/1.1"))
            return False
        return True

    def on_headers_complete(self) -> None:
        """Save what the parser resets at the end of a head."""
        parser = self.parser
        self._line = _RequestLine(
            parser.get_method().decode("ascii"),
            parser.get_http_version(),
            parser.should_keep_alive(),
        )

    def on_message_complete(self) -> None:
        """Use the parser again; one that waits for a body, which it never gets, is made anew."""
        self._is_reusable = True

    def _too_large(self) -> Refusal:
        if len(self.url) > MAX_URL_BYTES:
            return Refusal("url_too_long", f"a URL may have {MAX_URL_BYTES} bytes")
        return Refusal(
            "headers_too_large", f"a URL and headers may have {MAX_HEAD_BYTES} bytes together"
        )

    def _head_is_late(self) -> None:
        if self._head_bytes:
            self._refuse(
                Refusal("head_too_slow", f"the headers did not arrive within {HEAD_S:g} seconds")
            )
        else:
            self.transport.close()

    # ------------------------------------------------------------ requests

    def _begin(self, line: _RequestLine) -> None:
        """Start the response to a request whose head is complete."""
        try:
            if line.version not in _VERSIONS:
                raise malformed("only HTTP/1.1 and HTTP/1.0 are spoken here")
            url = httptools.parse_url(self.url)
            self._body = body_of(self.headers)
        except httptools.HttpParserInvalidURLError:
            self._refuse(_unreadable_url(self.url))
            return
        except Refusal as refusal:
            self._refuse(refusal)
            return
        raw_path = url.path or b"/"
        self.scope["method"] = line.method
        self.scope["http_version"] = line.version
        self.scope["path"] = urllib.parse.unquote(raw_path.decode("ascii"))
        self.scope["raw_path"] = raw_path
        self.scope["query_string"] = url.query or b""
        is_old = line.version == "1.0"
        self._head_bytes = 0
        self._in_time()
        if self._body.is_complete:
            self._expected, transport = _Expected.TURN, self.transport
        else:
            self._expected, transport = _Expected.BODY, self._gentle()
            self._within(BODY_S, self._body_is_late)
        self._answer(
            transport, line.keep_alive and not is_old, UntilClosedCycle if is_old else None
        )

    def _answer(
        self,
        transport: asyncio.Transport,
        keep_alive: bool,
        kind: "type[RequestResponseCycle] | None" = None,
    ) -> None:
        self.cycle = (kind or RequestResponseCycle)(
            scope=self.scope,
            transport=transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and kind is None,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if self._expected is not _Expected.BODY:
            self.cycle.more_body = False
            self.cycle.message_event.set()
        self._start_asgi_task(self.cycle, self.app)

    def on_response_complete(self) -> None:
        """Continue reading if the connection is kept."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._unread.watch()  # closing waits for the client to read the rest
        elif self._expected is _Expected.TURN:
            self._expect_head()
        else:
            self.flow.resume_reading()  # to discard the rest of the body

    def _expect_head(self) -> None:
        self._expected = _Expected.HEAD
        behind, self._behind = self._behind, b""
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        self.flow.release()
        self.data_received(behind)

    # ------------------------------------------------------------ bodies

    def _take_body(self, data: bytes) -> bytes:
        """Pass the part that belongs to the body to the request, and return the rest."""
        cycle = self.cycle
        try:
            content, behind = self._body.take(data)
        except Refusal as refusal:
            self._refuse(refusal)
            return b""
        if not cycle.response_complete:
            cycle.body += content
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.more_body = not self._body.is_complete
            cycle.message_event.set()
        if self._body.is_complete:
            self._in_time()
            self._expected = _Expected.TURN
            if cycle.response_complete:
                self._expect_head()
        return behind

    def _body_is_late(self) -> None:
        self._refuse(Refusal("body_too_slow", f"the body did not arrive within {BODY_S:g} seconds"))

    # ------------------------------------------------------------ the end

    def _refuse(self, refusal: Refusal) -> None:
        """Respond with a problem to data that cannot be read further, and discard the rest."""
        self._in_time()
        if self._expected is _Expected.BODY:
            given_up = self.cycle
            if given_up.response_complete:
                self._linger()
                return
            given_up.disconnected = True
            given_up.message_event.set()
            if given_up.response_started:
                self.transport.abort()  # the only sign that the response is incomplete
                return
        self._expected = _Expected.END
        self.on_message_begin()
        scope = cast(dict[str, Any], self.scope)
        scope.update(method="-", path="-", raw_path=b"-", query_string=b"")
        scope[REFUSAL] = refusal
        self._answer(self._gentle(), keep_alive=False)

    def _gentle(self) -> asyncio.Transport:
        return GentleTransport(self.transport, self._close_gently)

    def _close_gently(self) -> None:
        if self._expected is _Expected.TURN:
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        self._expected = _Expected.END
        self.flow.release()
        self.transport.write_eof()
        self._within(LINGER_S, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; abort it if part of the last response is still unread."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    # ------------------------------------------------------------ clients that do not read

    def pause_writing(self) -> None:
        """Make the request wait until the client reads, and watch that it does."""
        super().pause_writing()
        self._unread.watch()

    def resume_writing(self) -> None:
        """Let the request continue."""
        self._unread.stop()
        super().resume_writing()


def _unreadable_url(text: bytes) -> Refusal:
    if text.isascii():
        return malformed("the URL cannot be read")
    return malformed(
        "a URL has plain ASCII alone: percent-encode other characters as UTF-8, such as %C3%A9"
    )
