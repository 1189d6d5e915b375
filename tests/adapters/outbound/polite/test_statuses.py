"""What a status means: try again, come back later, or give up (U1-U7, U39-U42)."""

import asyncio

import pytest

from adapters.memory.system import SteerableClock
from domain.politeness import Breaker, Rate
from domain.reports import Traffic
from tests.adapters.outbound.client_fixture import (
    ClientFixture,
    HurriedClock,
    open_client,
    replying,
)

UNAVAILABLE = ("SourceUnavailable", "source_unavailable")
BLOCKED = ("SourceBlocked", "source_blocked")
CONTENT = ("UnexpectedContent", "unexpected_content")
ABSENT = ("Absent", "source_refused")
REFUSED = ("SourceRefused", "source_refused")
UNAUTHORIZED = ("Unauthorized", "source_refused")
DAY_S = 86_400


@pytest.mark.parametrize("fault", ["U1-500", "U1-502", "U1-503", "U1-504"])
async def test_a_passing_failure_is_tried_four_times(fixture: ClientFixture, fault: str) -> None:
    failed = await fixture.fail(fault)

    assert failed.kind == UNAVAILABLE
    assert (fixture.upstream.count(), failed.traffic.requests, failed.traffic.retries) == (4, 4, 3)
    assert (await fixture.host()).outcomes == "0000"


@pytest.mark.parametrize("fault", ["U1-500-then-ok", "U1-503-then-ok"])
async def test_u1_a_failure_that_passes_is_not_seen(fixture: ClientFixture, fault: str) -> None:
    report = await fixture.fetch(fault)

    assert (report.requests, report.retries, report.counts.inserted) == (3, 2, 100)
    assert report.wait_ms > 0


async def test_u1_the_waits_grow_and_are_drawn_by_chance(fixture: ClientFixture) -> None:
    await fixture.fail("U1-503")

    clock = fixture.clock
    assert isinstance(clock, HurriedClock)
    assert len(set(clock.slept)) == 3
    assert all(0 < s <= most for s, most in zip(clock.slept, (0.5, 1.0, 2.0), strict=True))


async def test_u1_retries_are_few_however_much_fails(fixture: ClientFixture) -> None:
    for _ in range(20):
        await fixture.budget.record_outcome(fixture.key, ok=True)
    await fixture.fail("U1-503")

    failed = await fixture.fail("U1-503")

    # The first question used up the credit for retries; the breaker has nothing to do with it.
    assert failed.kind == UNAVAILABLE
    assert (failed.traffic.requests, failed.traffic.retries) == (1, 0)


async def test_u1_what_keeps_failing_opens_the_breaker(fixture: ClientFixture) -> None:
    for _ in range(3):
        await fixture.fail("U1-503")

    assert fixture.upstream.count() == 5
    host = await fixture.host()
    assert host.breaker(fixture.clock.now().timestamp()) is Breaker.OPEN


async def test_u1_an_open_breaker_says_when_to_come_back(fixture: ClientFixture) -> None:
    for _ in range(5):
        await fixture.budget.record_outcome(fixture.key, ok=False)

    failed = await fixture.fail("/posts")

    assert failed.kind == UNAVAILABLE
    assert failed.error.retry_at is not None
    assert (failed.error.retry_at - fixture.clock.now()).total_seconds() == 30.0
    assert fixture.upstream.count() == 0


async def test_u1_no_retry_begins_after_the_deadline(fixture: ClientFixture) -> None:
    failed = await fixture.fail("U1-503", seconds=0.2)

    assert failed.kind == UNAVAILABLE
    assert 1 <= fixture.upstream.count() < 4
    assert failed.traffic.wait_ms < 200


@pytest.mark.parametrize("fault", ["U2-then-ok"])
async def test_u2_a_short_retry_after_is_waited_for(fixture: ClientFixture, fault: str) -> None:
    report = await fixture.fetch(fault)

    assert (report.requests, report.retries, report.wait_ms) == (3, 2, 14_000)
    assert report.counts.inserted == 100
    assert (await fixture.host()).outcomes == "111"


@pytest.mark.parametrize("fault", ["U2", "U3-date", "U3-rfc850", "U3-asctime"])
async def test_a_retry_after_beyond_the_deadline_blocks_the_host(
    fixture: ClientFixture, fault: str
) -> None:
    failed = await fixture.fail(fault, seconds=5)
    again = await fixture.fail("/posts", seconds=5)

    assert failed.kind == again.kind == BLOCKED
    assert failed.error.retry_at == again.error.retry_at
    assert (await fixture.host()).blocked_until_s - fixture.clock.now().timestamp() == 7.0
    assert fixture.upstream.count() == 1


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ("U4-huge", DAY_S),
        ("U4-exponent", DAY_S),
        ("U4-repeated", 30),
        ("U5", 60),
    ],
)
async def test_a_long_retry_after_is_obeyed_for_at_most_a_day(
    fixture: ClientFixture, fault: str, seconds: int
) -> None:
    failed = await fixture.fail(fault)

    assert failed.kind == BLOCKED
    assert failed.error.retry_at is not None
    assert (failed.error.retry_at - fixture.clock.now()).total_seconds() == seconds
    assert fixture.upstream.count() == 1
    assert (await fixture.host()).outcomes == "1"


@pytest.mark.parametrize("fault", ["U4-past", "U4-negative", "U4-zero", "U4-text"])
async def test_a_useless_retry_after_means_the_usual_wait(
    fixture: ClientFixture, fault: str
) -> None:
    failed = await fixture.fail(fault)

    assert failed.kind == BLOCKED
    assert fixture.upstream.count() == 4
    assert failed.traffic.wait_ms >= 3000
    assert (await fixture.host()).outcomes == "1111"


@pytest.mark.parametrize("fault", ["U39-ahead", "U39-behind"])
async def test_u39_a_time_is_relative_to_the_clock_of_its_sender(
    fixture: ClientFixture, fault: str
) -> None:
    failed = await fixture.fail(fault)

    assert failed.kind == BLOCKED
    assert (fixture.upstream.count(), failed.traffic.wait_ms) == (4, 21_000)


async def test_u4_a_fraction_of_a_second_is_waited_for(fixture: ClientFixture) -> None:
    failed = await fixture.fail("U4-fraction")

    assert (failed.kind, fixture.upstream.count(), failed.traffic.wait_ms) == (BLOCKED, 4, 4500)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("U6-401", UNAUTHORIZED), ("U6-403", REFUSED), ("U7-404", ABSENT), ("U7-410", ABSENT)],
)
async def test_a_refusal_is_final(
    fixture: ClientFixture, fault: str, kind: tuple[str, str]
) -> None:
    failed = await fixture.fail(fault)

    assert failed.kind == kind
    assert fault[3:] in failed.error.detail
    assert fixture.upstream.count() == 1
    assert (await fixture.host()).outcomes == "1"


async def test_u41_flapping_costs_one_retry_each_until_the_credit_is_gone(
    fixture: ClientFixture,
) -> None:
    failures = 0
    for _ in range(40):
        try:
            await fixture.get("U41")
        except Exception:
            failures += 1

    # A storm would be 80 requests.
    assert failures > 0
    assert fixture.upstream.count() <= 40 + 3 + 40 // 5


async def test_u40_an_upstream_that_is_always_slow_is_left_alone_for_a_while() -> None:
    clock = SteerableClock()
    async with open_client(clock) as fixture:
        for number in range(1, 6):
            fixture.upstream.hold()
            asking = asyncio.create_task(fixture.get("/posts"))
            await fixture.upstream.arrived(number)
            clock.advance(31)
            fixture.upstream.release()
            await asking

        failed = await fixture.fail("/posts")

    assert failed.kind == UNAVAILABLE
    assert fixture.upstream.count() == 5


async def test_u42_two_sources_on_one_host_share_its_budget(fixture: ClientFixture) -> None:
    await fixture.fail("U4-repeated")

    failed = await fixture.fail("/posts?userId=3")

    assert failed.kind == BLOCKED
    assert fixture.upstream.count() == 1


async def test_u1_a_503_may_say_when_to_come_back() -> None:
    reply = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\n\r\n"
    async with replying(reply) as key, open_client(allowed_private=frozenset({key})) as fixture:
        failed = await fixture.fail(f"http://{key}/")
        again = await fixture.fail(f"http://{key}/")

    assert (failed.kind, again.kind) == (UNAVAILABLE, BLOCKED)
    assert failed.error.retry_at == again.error.retry_at
    assert (failed.traffic.requests, again.traffic.requests) == (1, 0)


@pytest.mark.parametrize(
    ("reply", "kind", "outcomes"),
    [
        (b"408 Request Timeout", UNAVAILABLE, "0000"),
        (b"425 Too Early", UNAVAILABLE, "0000"),
        (b"501 Not Implemented", UNAVAILABLE, "0"),
        (b"507 Insufficient Storage", UNAVAILABLE, "0"),
        (b"599 Whatever", UNAVAILABLE, "0"),
        (b"402 Payment Required", REFUSED, "1"),
        (b"422 Unprocessable", REFUSED, "1"),
        (b"451 Unavailable For Legal Reasons", ABSENT, "1"),
        (b"403 Forbidden\r\nRetry-After: 60", BLOCKED, "1"),
        (b"403 Forbidden\r\nRetry-After: 0", REFUSED, "1"),
        (b"403 Forbidden\r\nX-RateLimit-Remaining: 0", BLOCKED, "1"),
        (b"403 Forbidden\r\n\r\nRequest rate limit exceeded", BLOCKED, "1"),
        (b"403 Forbidden\r\nContent-Length: 99\r\n\r\nThrottling", BLOCKED, "1"),
        (b"401 Unauthorized", UNAUTHORIZED, "1"),
        (b"429 Slow\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 9", BLOCKED, "1111"),
        (b"429 Slow\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 90", BLOCKED, "1"),
        (b"429 Slow\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 4e9", BLOCKED, "1111"),
        (b"300 Multiple Choices", CONTENT, "1"),
        (b"206 Partial Content\r\nContent-Length: 0", CONTENT, "1"),
        (b"202 Accepted\r\nContent-Length: 0", CONTENT, "1"),
        (b"101 Switching Protocols", ("SourceUnavailable", "protocol_error"), "0000"),
    ],
)
async def test_every_other_status(reply: bytes, kind: tuple[str, str], outcomes: str) -> None:
    reply = b"HTTP/1.1 " + reply + b"\r\nConnection: close\r\n\r\n"
    async with replying(reply) as key, open_client(allowed_private=frozenset({key})) as fixture:
        failed = await fixture.fail(f"http://{key}/")
        host = await fixture.budget.state(key)

    assert failed.kind == kind
    assert host.outcomes == outcomes


async def test_our_own_limit_is_waited_for_while_that_is_short() -> None:
    async with open_client(rate=Rate(2, 4.0)) as fixture:
        first, second = Traffic(), Traffic()
        await fixture.get("/posts", traffic=first)
        await fixture.get("/posts", traffic=second)
        late = await fixture.fail("/posts", seconds=1)

    assert (first.wait_ms, second.wait_ms) == (0, 2100)
    assert late.kind == BLOCKED
    assert late.error.retry_at is not None
    assert fixture.upstream.count() == 2


async def test_a_deadline_in_the_past_asks_nothing(fixture: ClientFixture) -> None:
    failed = await fixture.fail("/posts", seconds=0)

    assert failed.kind == ("SourceTimedOut", "source_timed_out")
    assert fixture.upstream.count() == 0
