"""One request and its reply: the only file that knows httpx."""

import asyncio
import ssl
from collections.abc import Mapping
from types import MappingProxyType

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
from adapters.outbound.polite.limits import CURRENT, MIB, RequestLimits
from adapters.outbound.polite.network import Network, pool
from adapters.outbound.polite.replies import RawResponse, gunzip, is_packed
from adapters.outbound.polite.urls import Url
from domain.errors import SourceRefused

#: A body in more pieces than this is cut up to keep us busy.
MAX_PIECES = 100_000
_BREATHER = 100

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class UpstreamRequest(msgspec.Struct, frozen=True):
    """What is asked: a GET, perhaps only for what has changed, or a POST of a JSON body.

    `headers` may hold a secret between us and this very host.
    """

    url: Url
    headers: Mapping[str, str] = NO_HEADERS
    etag: str | None = None
    last_modified: str | None = None
    body: bytes | None = None

    @property
    def is_conditional(self) -> bool:
        """Whether "not modified" would be an answer."""
        return self.etag is not None or self.last_modified is not None

    def redirected(self, location: str) -> "UpstreamRequest":
        """The same request where the upstream sent us; SourceRefused when that is elsewhere."""
        url = self.url.leads_to(location) if location else None
        if url is None:
            raise SourceRefused(
                f"{self.url.place} sends us to another place, where we do not follow; if it has"
                " moved, change its address",
                code="redirect_refused",
            )
        # Validators belong to the exact URL, so they stay behind.
        return UpstreamRequest(url, self.headers)


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

    async def send(self, request: UpstreamRequest, allowance: RequestLimits) -> RawResponse:
        """Send one request from a task of its own, which nobody may cancel.

        RetryableError when it fails in a way that may pass; SourceRefused, SourceTimedOut or
        UnexpectedContent when not.
        """
        CURRENT.set(allowance)
        place = request.url.place
        try:
            return await self._sent(request, allowance)
        except httpx.TimeoutException as error:
            if allowance.is_over:
                raise late(place) from error
            raise RetryableError(slow(place)) from error
        except httpx.NetworkError as error:
            raise RetryableError(
                unreachable(place), stale=not allowance.is_new_connection
            ) from error
        except httpx.ProtocolError as error:
            raise RetryableError(not_http(place), stale=not allowance.is_new_connection) from error
        except httpx.InvalidURL as error:
            raise SourceRefused(f"{place} is not an address", code="url_refused") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _sent(self, request: UpstreamRequest, allowance: RequestLimits) -> RawResponse:
        method = "GET" if request.body is None else "POST"
        headers = self._headers(request)
        message = httpx.Request(method, request.url.text, headers=headers, content=request.body)
        response = await self._transport.handle_async_request(message)
        try:
            allowance.begin_body()
            reply = RawResponse(response.status_code, _headers_of(response))
            if request.body is not None:
                return reply  # what was sent has arrived; what is said to it is not read
            if 200 <= reply.status < 300:
                return msgspec.structs.replace(reply, body=await self._body(response, allowance))
            if reply.status == 304:
                await _received(response, allowance)  # read to its end, the connection is kept
            return reply
        finally:
            await response.aclose()

    async def _body(self, response: httpx.Response, allowance: RequestLimits) -> bytes:
        packed = is_packed(response.headers.get("content-encoding", ""), allowance.place)
        try:
            body = await _received(response, allowance)
        except (httpx.ProtocolError, httpx.NetworkError) as error:
            raise RetryableError(incomplete(allowance.place)) from error
        if not packed or not body:
            return body
        if len(body) < MIB:
            return gunzip(body, self._max_decoded, allowance.place)
        return await asyncio.to_thread(gunzip, body, self._max_decoded, allowance.place)

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


async def _received(response: httpx.Response, allowance: RequestLimits) -> bytes:
    pieces: list[bytes] = []
    async for piece in response.aiter_raw():
        allowance.body_bytes += len(piece)
        pieces.append(piece)
        if len(pieces) % _BREATHER == 0:
            # Pieces that arrived together are handed over without a pause for anybody else.
            await asyncio.sleep(0)
        if len(pieces) > MAX_PIECES:
            raise too_large(allowance.place, f"{MAX_PIECES} pieces")
    return b"".join(pieces)
