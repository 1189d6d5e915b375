"""Hosts: the names in `Host` that this service answers for."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

#: The names of this machine for itself.
LOOPBACK = ("localhost", "127.0.0.0/8", "[::1]")


class Hosts:
    """The accepted hosts: names, `*.` and a name for all below it, addresses and networks."""

    def __init__(self, names: Iterable[str]) -> None:
        lowered = [name.lower() for name in names]
        self._names = frozenset(name for name in lowered if "/" not in name)
        self._suffixes = tuple(name[1:] for name in lowered if name.startswith("*."))
        self._networks = [ipaddress.ip_network(name) for name in lowered if "/" in name]
        self.accepts = lru_cache(maxsize=256)(self._accepts)

    def _accepts(self, host: bytes) -> bool:
        """Return whether a `Host` header, with or without a port, names one of these."""
        name = host.decode("latin-1").lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        if name in self._names or name.endswith(self._suffixes):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on is reached from this machine alone."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
