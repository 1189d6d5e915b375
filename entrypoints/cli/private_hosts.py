"""Which hosts of the settings have a private address without being allowed to."""

import socket
from collections.abc import Callable, Container, Iterable, Iterator
from threading import Thread

from adapters.outbound.polite.network import is_public
from application.datasets.registry import Generation
from entrypoints.config.settings import PREFIX, Settings, host_of

#: A name that takes longer to resolve is left out; its fetch will say why it is refused.
RESOLVE_S = 3.0

Resolve = Callable[[str, int], Iterable[str]]


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, or none if it has none here and now."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(address[0]) for *_, address in answers]


def unlisted(
    settings: Settings, generation: Generation, resolve: Resolve = resolved
) -> Iterator[str]:
    """Yield a warning of the private hosts that are not allowed, and the line that allows them."""
    urls = [url for registered in generation.values() for url in registered.urls]
    named = {host_of(url) for url in (*urls, settings.github_url, settings.alert_url)} - {""}
    found = _private(named, generation.private_hosts, resolve)
    if found:
        allowed = ",".join(sorted({*settings.allowed_private_hosts, *found}))
        yield f"warning: {', '.join(found)}: a private address, which is refused; to allow it, set:"
        yield f"{PREFIX}ALLOWED_PRIVATE_HOSTS={allowed}"


def _private(hosts: Iterable[str], allowed: Container[str], resolve: Resolve) -> list[str]:
    found: list[str] = []

    def look(host: str) -> None:
        name, _, port = host.rpartition(":")
        if not all(map(is_public, resolve(name.strip("[]"), int(port)))):
            found.append(host)

    # A daemon does not keep the command from ending.
    looks = [Thread(target=look, args=(h,), daemon=True) for h in hosts if h not in allowed]
    for each in looks:
        each.start()
    for each in looks:
        each.join(RESOLVE_S)
    return sorted(found)
