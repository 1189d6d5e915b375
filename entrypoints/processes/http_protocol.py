"""The HTTP/1.1 protocol of the server: uvicorn's, and bodies of requests that offer an upgrade.

Such an offer may be passed over (RFC 9110, 7.8), and then the request goes on as any other. The
parser stops behind the headers of one, so its body has to be read by another parser.
"""

import sys

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_FRAMING = (b"content-length", b"transfer-encoding")


class Http1Protocol(HttpToolsProtocol):
    """Reads on where an upgrade was offered and passed over."""

    _received = b""

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        self._received = data
        super().data_received(data)

    def _unsupported_upgrade_warning(self) -> None:
        """Read the rest of the request, and all that follows it; called where the parser stops."""
        stopped = sys.exc_info()[1]
        if not isinstance(stopped, httptools.HttpParserUpgrade):
            return
        rest = self._received[stopped.args[0] :]
        framing = [(name, value) for name, value in self.headers if name in _FRAMING]
        if framing and framing != [(b"content-length", b"0")]:
            self.cycle.more_body = True
            resumed = _Resumed(self)
            head = b"".join(b"%b: %b\r\n" % line for line in framing)
            resumed.parser.feed_data(b"POST / HTTP/1.1\r\n" + head + b"\r\n")
            self.parser = resumed.parser
        if rest:
            self.data_received(rest)


class _Resumed:
    """The callbacks of a parser that begins with a body; of its own headers it says nothing."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._is_body = True
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        if not self._is_body:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_body:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_body:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_body:
            self._protocol.on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._protocol.on_body(body)

    def on_message_complete(self) -> None:
        self._is_body = False
        self._protocol.on_message_complete()
