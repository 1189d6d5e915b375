"""Faults told by the status line."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from entrypoints.upstream import SampleUpstream

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("U1-500", 500),
        ("U1-502", 502),
        ("U1-503", 503),
        ("U1-504", 504),
        ("U6-401", 401),
        ("U6-403", 403),
        ("U7-404", 404),
        ("U7-410", 410),
    ],
)
async def test_refuses_every_time(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, status: int
) -> None:
    statuses = [(await client.get(upstream.fault_url(name))).status_code for _ in range(4)]

    assert statuses == [status] * 4


@pytest.mark.parametrize(
    ("name", "retry_after"),
    [
        ("U2", ["7"]),
        ("U3-date", ["Sun, 01 Mar 2026 12:00:07 GMT"]),
        ("U3-rfc850", ["Sunday, 01-Mar-26 12:00:07 GMT"]),
        ("U3-asctime", ["Sun Mar  1 12:00:07 2026"]),
        ("U4-past", ["Sun, 01 Mar 2026 11:00:00 GMT"]),
        ("U4-negative", ["-5"]),
        ("U4-zero", ["0"]),
        ("U4-huge", ["1000000000"]),
        ("U4-exponent", ["1e9"]),
        ("U4-text", ["abc"]),
        ("U4-fraction", ["1.5"]),
        ("U4-repeated", ["7", "30"]),
    ],
)
async def test_says_when_to_come_back(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, retry_after: list[str]
) -> None:
    upstream.now = lambda: NOON

    answer = await client.get(upstream.fault_url(name))

    assert answer.status_code == 429
    assert answer.headers.get_list("retry-after") == retry_after


async def test_a_limit_can_pass(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    url = upstream.fault_url("U2-then-ok")

    statuses = [(await client.get(url)).status_code for _ in range(3)]

    assert statuses == [429, 429, 200]


async def test_a_limit_can_look_as_github_tells_it(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    upstream.now = lambda: NOON

    answer = await client.get(upstream.fault_url("U5"))

    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (403, "0")
    assert int(answer.headers["x-ratelimit-reset"]) == NOON.timestamp() + 60


@pytest.mark.parametrize(("name", "days"), [("U39-ahead", 1), ("U39-behind", -1)])
async def test_the_clock_can_be_a_day_off(
    client: httpx.AsyncClient, upstream: SampleUpstream, name: str, days: int
) -> None:
    upstream.now = lambda: NOON

    headers = (await client.get(upstream.fault_url(name))).headers

    assert parsedate_to_datetime(headers["date"]) == NOON + timedelta(days=days)
    assert parsedate_to_datetime(headers["retry-after"]) == NOON + timedelta(days=days, seconds=7)


async def test_flapping_fails_every_other_time(
    client: httpx.AsyncClient, upstream: SampleUpstream
) -> None:
    url = upstream.fault_url("U41")

    statuses = [(await client.get(url)).status_code for _ in range(4)]

    assert statuses == [503, 200, 503, 200]
