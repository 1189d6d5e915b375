"""A name is resolved once, and only a checked address is connected to (U36)."""

import asyncio
import socket

import pytest

from tests.adapters.outbound.client_fixture import open_client

REFUSED = ("SourceRefused", "address_refused")


async def test_a_private_address_needs_to_be_allowed() -> None:
    async with open_client(allowed_private=frozenset()) as fixture:
        failed = await fixture.fail("/posts?secret=1")

        assert failed.kind == REFUSED
        assert "secret" not in failed.error.detail
        assert (fixture.upstream.count(), failed.traffic.requests) == (0, 1)
        assert (await fixture.host()).outcomes == "1"


async def test_allowing_one_port_allows_no_other() -> None:
    async with open_client(allowed_private=frozenset({"127.0.0.1:1"})) as fixture:
        failed = await fixture.fail("/posts")

    assert failed.kind == REFUSED


@pytest.mark.parametrize(
    "addresses",
    [
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
        ["fe80::1%lo"],
        [f"8.8.{n}.8" for n in range(200)] + ["10.0.0.1"],
    ],
)
async def test_u36_one_forbidden_address_condemns_the_name(addresses: list[str]) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return addresses

    async with open_client(resolve=resolve, allowed_private=frozenset()) as fixture:
        failed = await fixture.fail("http://rebinding.test/")

    assert failed.kind == REFUSED
    assert asked == ["rebinding.test"]


async def test_u36_the_checked_address_is_the_one_connected_to() -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    # No resolver but this one knows the name, so that a second look would not even find it.
    async with open_client(resolve=resolve, named="upstream.test") as fixture:
        await fixture.answer("/posts")
        await fixture.answer("/posts")

        hosts = {request.headers["host"] for request in fixture.upstream.requests}
        assert hosts == {f"upstream.test:{fixture.port}"}
        assert answers == [["127.0.0.2"]]


async def test_when_one_family_does_not_connect_the_other_is_tried() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["::1", "127.0.0.1"]

    async with open_client(resolve=resolve, named="upstream.test") as fixture:
        answer = await fixture.answer("/posts")

    assert answer.status == 200


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), OSError("no network"), None])
async def test_u36_a_name_without_an_address_is_unreachable(error: OSError | None) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if error is not None:
            raise error
        return []

    async with open_client(resolve=resolve, named="upstream.test") as fixture:
        failed = await fixture.fail("/posts")

    assert failed.kind == ("SourceUnavailable", "source_unavailable")
    assert failed.traffic.requests == 4


async def test_a_resolver_that_hangs_ends_at_the_deadline() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with open_client(resolve=resolve, named="upstream.test") as fixture:
        failed = await fixture.fail("/posts", seconds=0.2)

    assert failed.kind == ("SourceTimedOut", "source_timed_out")
    assert failed.elapsed_s < 0.6


async def test_the_system_resolves_names_by_default() -> None:
    async with open_client(named="localhost") as fixture:
        answer = await fixture.answer("/posts")

    assert answer.status == 200
