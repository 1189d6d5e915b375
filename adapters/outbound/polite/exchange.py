"""One request and its reply: the only file that knows httpx."""

import asyncio
import ssl
import zlib

import httpx
import msgspec

from adapters.outbound.polite.failures import (
    RetryableError,
    incomplete,
    late,
    not_http,
    slow,
    too_large,
    unreachable,
)
from adapters.outbound.polite.messages import RawResponse, UpstreamRequest
from adapters.outbound.polite.network import CURRENT, MIB, Network, RequestLimits, pool
from domain.errors import SourceRefused, UnexpectedContent

#: A body in more pieces than this is cut up to keep us busy.
MAX_PIECES = 100_000
_BREATHER = 100


class HttpExchange:
    """Sends requests over kept connections: no cookies, no redirects, no proxies, no retries."""

    def __init__(
        self,
        network: Network,
        tls: ssl.SSLContext | None,
        user_agent: str,
        max_decoded: int,
    ) -> None:
        self._transport = _Transport(network, tls or httpx.create_ssl_context(trust_env=False))
        self._user_agent = user_agent
        self._max_decoded = max_decoded

    async def send(self, request: UpstreamRequest, limits: RequestLimits) -> RawResponse:
        """Send one request from a task of its own, which nobody may cancel.

        RetryableError when it fails in a way that may pass; SourceRefused, SourceTimedOut or
        UnexpectedContent when not.
        """
        CURRENT.set(limits)
        place = request.url.place
        try:
            return await self._sent(request, limits)
        except httpx.TimeoutException as error:
            if limits.is_over:
                raise late(place) from error
            raise RetryableError(slow(place)) from error
        except httpx.NetworkError as error:
            raise RetryableError(unreachable(place), stale=not limits.is_new_connection) from error
        except httpx.ProtocolError as error:
            raise RetryableError(not_http(place), stale=not limits.is_new_connection) from error
        except httpx.InvalidURL as error:
            raise SourceRefused(f"{place} is not an address", code="url_refused") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _sent(self, request: UpstreamRequest, limits: RequestLimits) -> RawResponse:
        method = "GET" if request.body is None else "POST"
        headers = self._headers(request)
        message = httpx.Request(method, request.url.text, headers=headers, content=request.body)
        response = await self._transport.handle_async_request(message)
        try:
            limits.begin_body()
            reply = RawResponse(response.status_code, _headers_of(response))
            if request.body is not None:
                return reply  # what was sent has arrived; what is said to it is not read
            if 200 <= reply.status < 300:
                return msgspec.structs.replace(reply, body=await self._body(response, limits))
            if reply.status == 304:
                await _received(response, limits)  # read to its end, the connection is kept
            return reply
        finally:
            await response.aclose()

    async def _body(self, response: httpx.Response, limits: RequestLimits) -> bytes:
        packed = is_packed(response.headers.get("content-encoding", ""), limits.place)
        try:
            body = await _received(response, limits)
        except (httpx.ProtocolError, httpx.NetworkError) as error:
            raise RetryableError(incomplete(limits.place)) from error
        if not packed or not body:
            return body
        if len(body) < MIB:
            return gunzip(body, self._max_decoded, limits.place)
        return await asyncio.to_thread(gunzip, body, self._max_decoded, limits.place)

    def _headers(self, request: UpstreamRequest) -> httpx.Headers:
        headers = httpx.Headers({"User-Agent": self._user_agent, "Accept": "*/*"})
        headers.update(request.headers)
        # Nothing else is asked for, because nothing else is unpacked here.
        headers["Accept-Encoding"] = "gzip"
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if request.etag is not None:
            headers["If-None-Match"] = request.etag
        if request.last_modified is not None:
            headers["If-Modified-Since"] = request.last_modified
        return headers


class _Transport(httpx.AsyncHTTPTransport):
    """The transport of httpx on our own network, which it offers no parameter for."""

    def __init__(self, network: Network, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._pool = pool(tls, network)


def _headers_of(response: httpx.Response) -> dict[str, tuple[str, ...]]:
    names = {name.lower() for name in response.headers}
    return {name: tuple(response.headers.get_list(name)) for name in names}


async def _received(response: httpx.Response, limits: RequestLimits) -> bytes:
    pieces: list[bytes] = []
    async for piece in response.aiter_raw():
        limits.body_bytes += len(piece)
        pieces.append(piece)
        if len(pieces) % _BREATHER == 0:
            # Pieces that arrived together are handed over without a pause for anybody else.
            await asyncio.sleep(0)
        if len(pieces) > MAX_PIECES:
            raise too_large(limits.place, f"{MAX_PIECES} pieces")
    return b"".join(pieces)


# ---------------------------------------------------------------- unpacking

MAX_RATIO = 200
#: Small bodies may unpack to this much, whatever their ratio.
RATIO_FROM = MIB
MAX_MEMBERS = 10_000

_SLICE = 64 * 1024
_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})


def is_packed(encoding: str, place: str) -> bool:
    """Whether a Content-Encoding is the one we asked for; UnexpectedContent for any other."""
    encoding = encoding.strip().lower()
    if encoding in _PLAIN:
        return False
    if encoding in _GZIP:
        return True
    raise UnexpectedContent(
        f"{place} answers in an encoding nobody asked for; gzip is all we accept",
        code="unsupported_encoding",
    )


def gunzip(packed: bytes, max_decoded: int, place: str) -> bytes:
    """Unpack a gzip body of any number of members.

    RetryableError when it is cut short; UnexpectedContent when it is damaged or too large.
    """
    limit = min(max_decoded, max(RATIO_FROM, MAX_RATIO * len(packed)))
    unpacked = _Unpacked(limit, place)
    # In slices, because each member's end copies what follows it.
    for start in range(0, len(packed), _SLICE):
        unpacked.feed(packed[start : start + _SLICE])
    if not unpacked.is_whole:
        raise RetryableError(incomplete(place))
    return b"".join(unpacked.pieces)


class _Unpacked:
    """What has been unpacked so far, never more than the limit."""

    def __init__(self, limit: int, place: str) -> None:
        self.pieces: list[bytes] = []
        self._limit = limit
        self._place = place
        self._size = 0
        self._members = 1
        self._member = zlib.decompressobj(wbits=31)

    @property
    def is_whole(self) -> bool:
        """Whether the last member has reached its end."""
        return self._member.eof

    def feed(self, data: bytes) -> None:
        while data:
            if self._member.eof:
                data = self._next_member(data)
            try:
                # One byte above the limit, so that the limit itself is still allowed.
                piece = self._member.decompress(data, self._limit - self._size + 1)
            except zlib.error as error:
                raise self._damaged() from error
            self._size += len(piece)
            if self._size > self._limit:
                raise too_large(self._place, f"{self._limit / MIB:.3g} MiB unpacked")
            self.pieces.append(piece)
            data = self._member.unused_data

    def _next_member(self, data: bytes) -> bytes:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise self._damaged()
        self._member = zlib.decompressobj(wbits=31)
        return data

    def _damaged(self) -> UnexpectedContent:
        return UnexpectedContent(
            f"{self._place} says that its answer is gzip, and it is not, or damaged",
            code="bad_encoding",
        )
