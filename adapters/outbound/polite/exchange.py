"""One request and its response: the only file that uses httpx."""

import asyncio
import ssl

import httpx
import msgspec

from adapters.outbound.polite.bodies import MAX_REFUSAL, MIB, gunzip, is_packed, unpack_start
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

#: After so many pieces of a body other tasks get a turn.
_PIECES_PER_TURN = 100
#: The body of a refusal is read for this long, not until the deadline.
_REFUSAL_S = 2.0


class HttpExchange:
    """The sender of single requests: no cookies, no redirects, no proxies, no retries."""

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
        """Send one request, in a task that must not be cancelled.

        Raise RetryableError for a temporary failure; otherwise SourceRefused, SourceTimedOut or
        UnexpectedContent.
        """
        CURRENT.set(limits)
        label = request.url.label
        try:
            return await self._sent(request, limits)
        except httpx.TimeoutException as error:
            if limits.is_over():
                raise late(label) from error
            raise RetryableError(slow(label)) from error
        except httpx.NetworkError as error:
            raise RetryableError(unreachable(label), stale=not limits.is_new_connection) from error
        except httpx.ProtocolError as error:
            raise RetryableError(not_http(label), stale=not limits.is_new_connection) from error
        except httpx.InvalidURL as error:
            raise SourceRefused(f"{label} is not a valid URL", code="url_refused") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _sent(self, request: UpstreamRequest, limits: RequestLimits) -> RawResponse:
        method = "GET" if request.body is None else "POST"
        headers, url = self._headers(request), request.url
        if request.sign is not None:
            # Signing is the last step, so that no other code sees the signed URL.
            signature = request.sign()
            headers.update(signature.headers)
            url = url.with_params(signature.params) if signature.params else url
        message = httpx.Request(method, url.text, headers=headers, content=request.body)
        response = await self._transport.handle_async_request(message)
        try:
            limits.begin_body()
            reply = RawResponse(response.status_code, _headers_of(response))
            if request.body is not None and not request.form:
                return reply  # the body has arrived; the response's own is not read
            if 200 <= reply.status < 300:
                return msgspec.structs.replace(reply, body=await self._body(response, limits))
            if reply.status == FORBIDDEN:
                return msgspec.structs.replace(reply, body=await _refusal(response, limits))
            if reply.status == 304:
                await _received(response, limits)  # read it to the end to keep the connection
            return reply
        finally:
            await response.aclose()

    async def _body(self, response: httpx.Response, limits: RequestLimits) -> bytes:
        packed = is_packed(response.headers.get("content-encoding", ""), limits.label)
        try:
            body = await _received(response, limits)
        except (httpx.ProtocolError, httpx.NetworkError) as error:
            raise RetryableError(incomplete(limits.label)) from error
        if not packed or not body:
            return body
        if len(body) < MIB:
            return gunzip(body, self._max_decoded, limits.label, limits.is_over)
        return await asyncio.to_thread(
            gunzip, body, self._max_decoded, limits.label, limits.is_over
        )

    def _headers(self, request: UpstreamRequest) -> httpx.Headers:
        headers = httpx.Headers({"User-Agent": self._user_agent, "Accept": "*/*"})
        headers.update(request.headers)
        # Only gzip is requested, because only gzip is unpacked here.
        headers["Accept-Encoding"] = "gzip"
        if request.body is not None:
            kind = "x-www-form-urlencoded" if request.form else "json"
            headers["Content-Type"] = f"application/{kind}"
        if request.etag is not None:
            headers["If-None-Match"] = request.etag
        if request.last_modified is not None:
            headers["If-Modified-Since"] = request.last_modified
        return headers


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport with our own network backend, for which it has no parameter."""

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
    """Return a header's value, in UTF-8 or else Latin-1; each value is decoded by itself."""
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
        if pieces % _PIECES_PER_TURN == 0:
            # Pieces that arrived together come without a pause for other tasks.
            await asyncio.sleep(0)
    return bytes(body)


async def _refusal(response: httpx.Response, limits: RequestLimits) -> bytes:
    """Return the start of a refusal's body, or as much as arrives soon."""
    start = b""
    limits.hurry(_REFUSAL_S)
    try:
        async for piece in response.aiter_raw():
            limits.body_bytes += len(piece)
            start += piece
            if len(start) >= MAX_REFUSAL:
                break
    except (httpx.HTTPError, SourceError):
        pass
    return unpack_start(start[:MAX_REFUSAL], response.headers.get("content-encoding", ""))
