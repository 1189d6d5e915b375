"""One request and its reply: the only file that knows httpx."""

import asyncio
import ssl

import httpx
import msgspec

from adapters.outbound.polite.bodies import MAX_SAID, MIB, gunzip, is_packed, unpack_start
from adapters.outbound.polite.failures import (
    RetryableError,
    incomplete,
    late,
    not_http,
    slow,
    unreachable,
)
from adapters.outbound.polite.messages import FORBIDDEN, RawResponse, UpstreamRequest
from adapters.outbound.polite.network import CURRENT, Network, RequestLimits, pool
from domain.errors import SourceError, SourceRefused

_BREATHER = 100
#: The reason of a refusal is worth a moment, and not the whole deadline.
_SAID_WITHIN_S = 2.0


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
            if limits.is_over():
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
            if reply.status == FORBIDDEN:
                return msgspec.structs.replace(reply, body=await _said(response, limits))
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
            return gunzip(body, self._max_decoded, limits.place, limits.is_over)
        return await asyncio.to_thread(
            gunzip, body, self._max_decoded, limits.place, limits.is_over
        )

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
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in response.headers.raw:
        key = name.decode("latin-1").lower()
        headers[key] = (*headers.get(key, ()), _text(value))
    return headers


def _text(value: bytes) -> str:
    """A header's value: each by itself, because one in Latin-1 says nothing of the others."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def _received(response: httpx.Response, limits: RequestLimits) -> bytes:
    body, pieces = bytearray(), 0
    async for piece in response.aiter_raw():
        limits.body_bytes += len(piece)
        body += piece
        pieces += 1
        if pieces % _BREATHER == 0:
            # Pieces that arrived together are handed over without a pause for anybody else.
            await asyncio.sleep(0)
    return bytes(body)


async def _said(response: httpx.Response, limits: RequestLimits) -> bytes:
    """The beginning of what a refusal says, or as much of it as comes at once."""
    said = b""
    limits.hurry(_SAID_WITHIN_S)
    try:
        async for piece in response.aiter_raw():
            limits.body_bytes += len(piece)
            said += piece
            if len(said) >= MAX_SAID:
                break
    except (httpx.HTTPError, SourceError):
        pass
    return unpack_start(said[:MAX_SAID], response.headers.get("content-encoding", ""))
