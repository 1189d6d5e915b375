"""What can happen on the wire: silence, drips, floods, cuts and lies (U11-U13, U17-U22, U40)."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.memory.system import SteerableClock
from adapters.outbound.polite.messages import HostRules, UpstreamResponse
from domain.reports import Traffic
from tests.adapters.outbound.client_fixture import ClientFixture, Failed, open_client, replying
from tests.adapters.outbound.hurried_loop import hurried

INCOMPLETE = ("SourceUnavailable", "incomplete")
NOT_HTTP = ("SourceUnavailable", "protocol_error")
LATE = ("SourceTimedOut", "source_timed_out")
TOO_LARGE = ("UnexpectedContent", "too_large")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("U11", INCOMPLETE),
        ("U13-chunked", INCOMPLETE),
        ("U14", INCOMPLETE),
        ("U20-reset", INCOMPLETE),
        ("U20-close", NOT_HTTP),
        ("U20-garbage", NOT_HTTP),
        ("U20-huge-header", NOT_HTTP),
    ],
)
async def test_a_truncated_body_is_retried_and_counts_against_the_host(
    fixture: ClientFixture, fault: str, kind: tuple[str, str]
) -> None:
    failed = await fixture.fail(fault)

    assert failed.kind == kind
    assert fixture.upstream.count() == 4
    assert (await fixture.host()).outcomes == "0000"


@pytest.mark.parametrize("fault", ["U11", "U14", "U20-reset", "U20-close"])
async def test_a_body_truncated_twice_is_complete_at_the_third_try(
    fixture: ClientFixture, fault: str
) -> None:
    report = await fixture.fetch(f"{fault}-then-ok")

    assert (report.requests, report.retries, report.counts.inserted) == (3, 2, 100)


async def test_u12_bytes_after_the_body_are_ignored(fixture: ClientFixture) -> None:
    traffic = Traffic()
    first = await fixture.fetch("U12")
    await fixture.get("/posts", traffic=traffic)

    assert first.counts.inserted == 100
    assert traffic.requests <= 2
    assert (await fixture.host()).outcomes.count("0") == 0


async def test_u13_json_cut_without_a_length_is_not_applied(fixture: ClientFixture) -> None:
    await fixture.fetch("/posts")
    before = fixture.posts

    report = await fixture.fetch("U13")

    assert report.error is not None
    assert report.error.code == "incomplete"
    assert fixture.posts == before


@pytest.mark.parametrize("fault", ["U17", "U17-chunked", "U17-declared"])
async def test_an_endless_body_is_cut_at_the_cap(fault: str) -> None:
    async with open_client(max_wire=1024 * 1024) as fixture:
        failed = await fixture.fail(fault)

    assert failed.kind == TOO_LARGE
    assert failed.traffic.requests == 1
    assert failed.traffic.bytes <= 1024 * 1024


async def test_a_body_in_a_chunk_for_each_record_is_read_whole() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with replying(head + b"3\r\n{}\n\r\n" * 120_000 + b"0\r\n\r\n") as key:
        async with open_client(allowed_private=frozenset({key})) as fixture:
            answer = await fixture.answer(f"http://{key}/")

    assert answer.body == b"{}\n" * 120_000


async def test_u17_a_body_in_countless_pieces_ends_at_the_cap() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with replying(head + b"1\r\nx\r\n" * 110_000) as key:
        allowed = frozenset({key})
        async with open_client(allowed_private=allowed, max_wire=512 * 1024) as fixture:
            failed = await fixture.fail(f"http://{key}/")

    assert failed.kind == TOO_LARGE


@pytest.mark.parametrize("fault", ["U18-header-drip", "U18-body-drip", "U18-stall", "U19"])
async def test_whatever_is_slow_the_deadline_holds(fixture: ClientFixture, fault: str) -> None:
    fixture.upstream.drip_seconds = 0.02

    failed = await fixture.fail(fault, seconds=0.3)

    assert failed.kind == LATE
    assert 0.25 < failed.elapsed_s < 0.8
    assert fixture.upstream.count() == 1
    assert (await fixture.host()).outcomes == "0"


@pytest.mark.parametrize("fault", ["U18-stall", "U19"])
async def test_a_try_that_waits_too_long_is_tried_again(fault: str) -> None:
    async with open_client(patience_s=0.05) as fixture:
        failed = await fixture.fail(fault)

        assert failed.kind == LATE
        assert (fixture.upstream.count(), failed.traffic.retries) == (4, 3)
        assert (await fixture.host()).outcomes == "0000"


@asynccontextmanager
async def thinking(seconds: float) -> AsyncIterator[str]:
    """A server that thinks for so long before it says anything, as "host:port"."""

    thoughts: list[asyncio.Event] = []
    answered: list[asyncio.Event] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        thoughts.append(asyncio.Event())
        answered.append(done := asyncio.Event())
        asyncio.get_running_loop().call_later(seconds, thoughts[-1].set)
        await thoughts[-1].wait()
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
            writer.close()
            await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for thought in thoughts:
            thought.set()
        await asyncio.gather(*(done.wait() for done in answered))


@pytest.mark.parametrize(("thinks_s", "deadline_s"), [(11, 15), (11, 60), (120, 300)])
def test_a_source_may_think_as_long_as_the_deadline_lets_it(
    thinks_s: float, deadline_s: float
) -> None:
    async def ask() -> tuple[bytes, Traffic]:
        traffic = Traffic()
        async with thinking(thinks_s) as key:
            async with open_client(allowed_private=frozenset({key})) as fixture:
                answer = await fixture.get(f"http://{key}/", deadline_s, traffic)
        assert isinstance(answer, UpstreamResponse)
        return answer.body, traffic

    body, traffic = hurried(ask())

    assert (body, traffic.requests, traffic.retries) == (b"[]", 1, 0)


def test_a_source_that_thinks_beyond_the_deadline_is_asked_once_and_the_setting_is_named() -> None:
    async def ask() -> Failed:
        async with thinking(120) as key:
            async with open_client(allowed_private=frozenset({key})) as fixture:
                return await fixture.fail(f"http://{key}/", 60)

    failed = hurried(ask())

    assert failed.kind == LATE
    assert failed.traffic.requests == 1
    assert "CATCHMENT_FETCH_DEADLINE" in failed.error.detail


def test_a_host_may_have_a_patience_of_its_own() -> None:
    async def ask() -> Failed:
        async with thinking(120) as key:
            async with open_client(allowed_private=frozenset({key})) as fixture:
                rules = HostRules(patience_s=10)
                return await fixture.fail(f"http://{key}/", 60, rules=rules)

    failed = hurried(ask())

    assert failed.kind == LATE
    assert (failed.traffic.requests, failed.traffic.retries) == (4, 3)


async def test_u19_a_connection_that_is_not_accepted_ends_at_the_deadline() -> None:
    # A full backlog drops every further SYN, as a firewall would.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        key = f"127.0.0.1:{deaf.getsockname()[1]}"
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        async with open_client(allowed_private=frozenset({key})) as fixture:
            failed = await fixture.fail(f"http://{key}/", seconds=0.3)
        for filler in fillers:
            filler.close()

    assert failed.kind == LATE
    assert 0.25 < failed.elapsed_s < 0.8


async def test_u20_a_closed_port_is_unreachable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        key = f"127.0.0.1:{closed.getsockname()[1]}"
        async with open_client(allowed_private=frozenset({key})) as fixture:
            failed = await fixture.fail(f"http://{key}/a?secret=1")

    assert failed.kind == ("SourceUnavailable", "source_unavailable")
    assert "secret" not in failed.error.detail
    assert (failed.traffic.requests, failed.traffic.retries) == (4, 3)


async def test_u21_a_dead_kept_connection_costs_one_try_at_once(fixture: ClientFixture) -> None:
    await fixture.get("U21")
    traffic = Traffic()

    await fixture.get("U21", traffic=traffic)

    assert (traffic.requests, traffic.retries, traffic.wait_ms) == (2, 1, 0)
    assert (await fixture.host()).outcomes == "111"


async def test_u21_a_kept_connection_that_is_reset_costs_one_try_at_once() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
    traffic = Traffic()
    async with replying(reply, then_reset=True) as key:
        async with open_client(allowed_private=frozenset({key})) as fixture:
            await fixture.get(f"http://{key}/")
            await fixture.get(f"http://{key}/", traffic=traffic)
            host = await fixture.budget.state(key)

    assert (traffic.requests, traffic.retries, traffic.wait_ms) == (2, 1, 0)
    assert host.outcomes == "111"


async def test_u21_a_connection_closed_after_its_answer_is_noticed(fixture: ClientFixture) -> None:
    answers = [await fixture.get("U21-after-answer") for _ in range(5)]

    # Where it is noticed too late, one more try is made and nobody is blamed.
    assert len(answers) == 5
    assert set((await fixture.host()).outcomes) == {"1"}


@pytest.mark.parametrize("fault", ["U22-100", "U22-103"])
async def test_a_flood_of_interim_answers_is_bounded(fixture: ClientFixture, fault: str) -> None:
    failed = await fixture.fail(fault)

    assert failed.kind == NOT_HTTP
    assert fixture.upstream.count() == 1
    assert failed.elapsed_s < 2.0


async def test_u22_one_early_hint_is_passed_over(fixture: ClientFixture) -> None:
    report = await fixture.fetch("U22-103-once")

    assert (report.requests, report.counts.inserted) == (1, 100)


@pytest.mark.parametrize(
    ("deadline_s", "seconds", "outcomes"),
    [(60, 11, "1"), (60, 29, "1"), (60, 31, "0"), (300, 120, "1"), (15, 9, "1"), (15, 11, "0")],
)
async def test_u40_a_success_counts_as_a_failure_when_it_took_most_of_the_time_there_was(
    deadline_s: float, seconds: float, outcomes: str
) -> None:
    clock = SteerableClock()
    async with open_client(clock) as fixture:
        fixture.upstream.hold()
        asking = asyncio.create_task(fixture.answer("/posts", deadline_s))
        await fixture.upstream.arrived(1)
        clock.advance(seconds)
        fixture.upstream.release()
        answer = await asking

        assert len(answer.body) > 10_000
        assert (await fixture.host()).outcomes == outcomes
