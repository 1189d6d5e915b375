"""P28: whatever an address, a redirect or a name is made to look like, nothing forbidden is asked.

Every connection this process opens is seen by an audit hook of the interpreter, below all our code.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from domain.errors import InvalidInput, SourceError
from tests.adapters.outbound.client_fixture import Answering, open_client, reply
from tests.prove.figures import reported

#: Addresses that lead to this machine or its network, however they are spelled.
TRICKS = (
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://localhost:{port}/",
    "http://localhost.:{port}/",
    "http://LOCALHOST:{port}/",
    "http://name.localhost:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://api.example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@api.example.com/",
    "http://127.0.0.1\t:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://192.0.2.1:{port}/",
    "http://inside.test:{port}/",
    "http://both.test:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "ftp://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http:/\\127.0.0.1:{port}/",
)

#: What the name server of an attacker says.
NAMES = {
    "inside.test": ["127.0.0.1"],
    "both.test": ["93.184.216.34", "127.0.0.1"],
}

_connected: list[list[Any]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _connected:
        _connected[-1].append(arguments[1])


sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[Any]]:
    """The addresses of all connections that are opened inside the block."""
    seen: list[Any] = []
    _connected.append(seen)
    try:
        yield seen
    finally:
        _connected.remove(seen)


async def _resolve(host: str, port: int) -> list[str]:
    """The attacker's names, and what the system knows: numbers in every spelling, and localhost."""
    if host in NAMES:
        return NAMES[host]
    loop = asyncio.get_running_loop()
    return [str(found[4][0]) for found in await loop.getaddrinfo(host, port, type=1)]


async def test_no_url_leads_to_a_forbidden_address() -> None:
    forbidden = 0
    async with Answering(reply(b"[]")) as victim:
        port = int(victim.place.rpartition(":")[2])
        async with open_client(resolve=_resolve, allowed_private=frozenset()) as fixture:
            for trick in TRICKS:
                with watched() as seen:
                    with pytest.raises((SourceError, InvalidInput, ValueError)):
                        await fixture.get(trick.format(port=port), seconds=2)
                forbidden += len(seen)
        heard = len(victim.heads)

    _judged("addresses", forbidden, heard)


async def test_no_redirect_leads_there_either() -> None:
    forbidden = 0
    async with Answering(reply(b"[]")) as victim:
        port = int(victim.place.rpartition(":")[2])
        for trick in TRICKS:
            location = trick.format(port=port).replace("\t", "%09")
            sends_away = reply(b"", f"Location: {location}", status="302 Found")
            async with Answering(sends_away) as asked:
                allowed = frozenset({asked.place})
                own = int(asked.place.rpartition(":")[2])
                async with open_client(resolve=_resolve, allowed_private=allowed) as fixture:
                    with watched() as seen, pytest.raises(SourceError):
                        await fixture.get(asked.url("/posts"), seconds=2)
            forbidden += sum(address[1] != own for address in seen)
        heard = len(victim.heads)

    _judged("redirects", forbidden, heard)


async def test_the_watch_sees_what_is_asked() -> None:
    async with Answering(reply(b"[]")) as asked:
        allowed = frozenset({asked.place})
        async with open_client(allowed_private=allowed) as fixture:
            with watched() as seen:
                await fixture.get(asked.url("/posts"))

    assert len(seen) == 1


def _judged(tried: str, forbidden: int, heard: int) -> None:
    found = f"forbidden_connects:{forbidden}"
    reported(
        "P28", found, "forbidden_connects:0", not forbidden and not heard, **{tried: len(TRICKS)}
    )
    assert (forbidden, heard) == (0, 0)
