"""The network backend: connects only to allowed addresses, within the limits of the request."""

import asyncio
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Container, Iterable
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore

from adapters.outbound.polite.bodies import MIB
from adapters.outbound.polite.failures import late, not_http, too_large
from domain.errors import SourceRefused

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
#: Special purposes of IANA's registries that some versions of Python take for public.
_SPECIAL_V4 = tuple(
    map(
        IPv4Network,
        (
            "100.64.0.0/10",
            "192.0.0.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "240.0.0.0/4",
        ),
    )
)
_SPECIAL_V6 = tuple(
    map(IPv6Network, ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20"))
)


def is_public(text: str) -> bool:
    """Return whether this is an address of the public internet."""
    try:
        address = _unwrapped(ip_address(text))
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        is_special = any(address in each for each in _SPECIAL_V6)
        return address in _GLOBAL_UNICAST and address.is_global and not is_special
    is_special = any(address in each for each in _SPECIAL_V4)
    return address.is_global and not address.is_multicast and not is_special


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address embedded in an IPv6 address, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def one_of_each_family(texts: list[str]) -> list[str]:
    """Return the first address of each IP version, so that at most two are tried."""
    firsts: dict[int, str] = {}
    for text in texts:
        firsts.setdefault(ip_address(text).version, text)
    return list(firsts.values())


# ---------------------------------------------------------------- the limits of a request

#: The most bytes before the body, interim responses included; a read takes 64 KiB at a time.
MAX_HEAD = 128 * 1024


class RequestLimits:
    """The limits of a running request, which the network checks at every step.

    `patience_s` is how long a read may wait for the next bytes.
    """

    def __init__(
        self, label: str, seconds: float, max_wire: int, patience_s: float = math.inf
    ) -> None:
        self.label = label
        self.patience_s = patience_s
        self.is_new_connection = False
        self.body_bytes = 0
        self._received = 0
        self._in_head = True
        self._max_wire = max_wire
        self._now = asyncio.get_running_loop().time
        self._ends_at = self._now() + seconds

    def is_over(self) -> bool:
        """Return whether the time is up; thread-safe."""
        return self._now() >= self._ends_at

    def seconds(self, longest: float) -> float:
        """Return the seconds the next step may take; raise SourceTimedOut if the time is up."""
        left = self._ends_at - self._now()
        if left <= 0:
            raise late(self.label)
        return min(longest, left)

    def take(self, received: int) -> None:
        """Count received bytes; raise SourceError if they are too many."""
        self._received += received
        if self._in_head and self._received > MAX_HEAD:
            raise not_http(self.label)
        if self._received > self._max_wire:
            raise too_large(self.label, f"{self._max_wire / MIB:.3g} MiB")

    def hurry(self, seconds: float) -> None:
        """Limit the remaining time to this."""
        self._ends_at = min(self._ends_at, self._now() + seconds)

    def begin_body(self) -> None:
        """Count the following bytes as those of the body."""
        self._in_head = False


#: The limits of the request that this task is making.
CURRENT: ContextVar[RequestLimits] = ContextVar("limits")

# ---------------------------------------------------------------- connections

CONNECT_S = 3.0
#: The time limit for sending, and for the TLS handshake.
_STEP_S = 10.0

Resolve = Callable[[str, int], Awaitable[list[str]]]


def pool(tls: ssl.SSLContext, network: "Network") -> httpcore.AsyncConnectionPool:
    """Return a connection pool over our network, without a limit, because budgets limit requests.

    A pool that makes requests wait would have to cancel the waiting ones.
    """
    return httpcore.AsyncConnectionPool(
        ssl_context=tls,
        max_connections=None,
        max_keepalive_connections=20,
        keepalive_expiry=5.0,
        http1=True,
        http2=False,
        retries=0,
        network_backend=network,
    )


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host by the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Network(httpcore.AsyncNetworkBackend):
    """The network backend that resolves a name once and connects to the address it has checked.

    httpcore's timeouts are ignored in favour of the limits of the request.
    """

    def __init__(self, resolve: Resolve, allowed_private: Container[str]) -> None:
        self._resolve = resolve
        self._allowed_private = allowed_private
        self._system = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect within the request's limits; raise SourceRefused for a private address."""
        CURRENT.get().is_new_connection = True
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in await self._checked(host, port):
            try:
                seconds = CURRENT.get().seconds(CONNECT_S)
                stream = await self._system.connect_tcp(address, port, seconds)
                return _Stream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _checked(self, host: str, port: int) -> list[str]:
        addresses = await self._resolved(host, port)
        named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # One private address is enough to refuse: a name with both kinds is an attack.
        if named not in self._allowed_private and not all(map(is_public, addresses)):
            raise SourceRefused(
                f"{CURRENT.get().label} has an address that is not public; if that is intended,"
                f" add {named} to CATCHMENT_ALLOWED_PRIVATE_HOSTS",
                code="address_refused",
            )
        return one_of_each_family(addresses)

    async def _resolved(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(CURRENT.get().seconds(CONNECT_S)):
                return await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except OSError as error:
            raise httpcore.ConnectError("the name does not resolve") from error


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that checks the limits of its current request at every step."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> bytes:
        """Read available bytes."""
        limits = CURRENT.get()
        data = await self._inner.read(max_bytes, limits.seconds(limits.patience_s))
        limits.take(len(data))
        return data

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> None:
        """Write everything."""
        await self._inner.write(buffer, CURRENT.get().seconds(_STEP_S))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """Start TLS; raise SourceRefused for an invalid certificate."""
        limits = CURRENT.get()
        seconds = limits.seconds(_STEP_S)
        try:
            inner = await self._inner.start_tls(ssl_context, server_hostname, seconds)
        except httpcore.ConnectError as error:
            if not isinstance(error.__cause__, ssl.SSLError):
                raise
            raise SourceRefused(
                f"{limits.label} has no valid certificate, or speaks no TLS we trust",
                code="tls_error",
            ) from error
        return _Stream(inner)

    def get_extra_info(self, info: str) -> Any:
        """Return information of the system about the connection."""
        return self._inner.get_extra_info(info)
