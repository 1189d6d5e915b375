"""The client's address behind trusted proxies, and the network that rate limits count."""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from adapters.http.protocol.access import set_address
from adapters.http.protocol.asgi import header_of
from adapters.http.protocol.links import joined_prefix, set_origin

#: Some proxies add the port, with an IPv6 address in brackets.
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}")
#: The size of the network of one IPv6 client.
_IPV6_PREFIX = 64


class Proxies:
    """The proxies whose forwarded headers are trusted; those of others are ignored."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = [ipaddress.ip_network(text, strict=False) for text in trusted]
        self._is_trusted = lru_cache(maxsize=1024)(self._is_in_trusted)

    def is_peer(self, scope: Any) -> bool:
        """Return whether a request comes directly from a trusted proxy."""
        return self._is_trusted((scope.get("client") or ("",))[0])

    def prefix_of(self, scope: Any) -> str | None:
        """Return the prefix in X-Forwarded-Prefix of a trusted peer; None without the header.

        Each of several proxies may have added its own, in the order of the path.
        """
        parts = header_of(scope, b"x-forwarded-prefix")
        return joined_prefix(parts.split(",")) if parts else None

    def look_through(self, scope: Any) -> None:
        """Store the client's address: behind trusted proxies, the last hop before them."""
        client = (scope.get("client") or ("",))[0]
        if not self._is_trusted(client):
            return
        hops = [hop.strip() for hop in header_of(scope, b"x-forwarded-for").split(",")]
        for hop in reversed(hops):
            if not _address(hop):
                break  # any address before it is untrusted
            client = hop
            if not self._is_trusted(hop):
                break
        set_address(scope, client)
        if header_of(scope, b"x-forwarded-proto") == "https":
            scope["scheme"] = "https"

    def _is_in_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


class Origin:
    """The prefix of public paths: configured, or sent by a trusted proxy."""

    def __init__(self, root_path: str, proxies: Proxies | None) -> None:
        self._root_path = root_path
        self._proxies = proxies

    def look(self, scope: Any) -> None:
        """Store the prefix of a request, and strip it from the path."""
        is_trusted = self._proxies is not None and self._proxies.is_peer(scope)
        prefix = self._proxies.prefix_of(scope) if self._proxies and is_trusted else None
        set_origin(scope, self._root_path if prefix is None else prefix, is_trusted)


def client_network(address: str) -> str:
    """Return the network that is counted as one client: an IPv4 address, or an IPv6 /64."""
    found = _address(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False))
    return str(found or address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with_port = _WITH_PORT.fullmatch(text)
    try:
        found = ipaddress.ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
