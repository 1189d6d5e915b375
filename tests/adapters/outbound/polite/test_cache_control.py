"""For how long an answer will do is understood in every form, and believed for a day at most."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.polite.headers import fresh_s
from adapters.outbound.polite.messages import NotModified
from adapters.outbound.sources import HttpSource
from domain.reports import Traffic
from tests.adapters.outbound.client_fixture import open_client, replying

DAY_S = 86_400.0


def told(*values: str, age: str | None = None) -> float | None:
    """What these Cache-Control headers say, with an Age."""
    return fresh_s({"cache-control": values, "age": () if age is None else (age,)})


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("max-age=60", 60.0),
        ("MAX-AGE=60", 60.0),
        ('max-age="60"', 60.0),
        ("max-age = 60", 60.0),
        ("public, max-age=60, must-revalidate", 60.0),
        ("s-maxage=600,max-age=60", 60.0),
        ("max-age=60,max-age=90", 60.0),
        ("max-age=31536000", DAY_S),
        ("max-age=999999999", DAY_S),
        ("max-age=9999999999", None),
        ("s-maxage=600", None),
        ("x-max-age=60", None),
        ("max-age=0", None),
        ("max-age=-60", None),
        ("max-age=1.5", None),
        ("max-age=1e3", None),
        ("max-age=٦٠", None),
        ("max-age=soon", None),
        ("max-age=", None),
        ("max-age", None),
        ("max-age=60;public", None),
        ("no-store, max-age=60", None),
        ("max-age=60, No-Cache", None),
        ('max-age=60, no-cache="set-cookie"', None),
        ("no-cache", None),
        ("", None),
    ],
)
def test_every_form_of_cache_control(value: str, seconds: float | None) -> None:
    assert told(value) == seconds


def test_who_says_nothing_says_nothing() -> None:
    assert fresh_s({}) is None


def test_several_headers_are_one() -> None:
    assert told("public", "max-age=60") == 60.0
    assert told("max-age=60", "no-store") is None


@pytest.mark.parametrize(
    ("age", "seconds"),
    [("20", 40.0), (" 20 ", 40.0), ("0", 60.0), ("60", None), ("600", None)]
    + [(garbage, 60.0) for garbage in ("", "-20", "1.5", "old", "20, 30", "9" * 40)],
)
def test_the_time_an_answer_has_lain_in_a_cache_is_taken_off(
    age: str, seconds: float | None
) -> None:
    assert told("max-age=60", age=age) == seconds


words = st.sampled_from(
    ["max-age", "=", "60", '"', ",", " ", "no-store", "s-maxage", "-", "9" * 12]
)


@given(st.text(max_size=80) | st.lists(words, max_size=12).map("".join), st.text(max_size=12))
def test_no_value_breaks_it_and_none_is_out_of_bounds(value: str, age: str) -> None:
    seconds = told(value, age=age)

    assert seconds is None or 0.0 < seconds <= DAY_S


# ---------------------------------------------------------------- what is made of it


def reply(*headers: str, status: str = "200 OK", body: str = "[]") -> bytes:
    """An answer with these headers."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", *headers, "", body]).encode()


@asynccontextmanager
async def paged(*replies: bytes) -> AsyncIterator[str]:
    """A server that answers with each of these in turn, as "host:port"."""
    left = list(replies)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def fetched_for_s(*replies: bytes) -> float | None:
    """For how many seconds such pages will do, when fetching them takes no time."""
    async with paged(*replies) as key, open_client(allowed_private=frozenset({key})) as fixture:
        source = HttpSource(jsonplaceholder(f"http://{key}/posts"), fixture.client)
        report = await fixture.fetch("", source=source)
        assert (report.requests, report.error) == (len(replies), None)
        until = report.fresh_until
        return None if until is None else (until - fixture.clock.now()).total_seconds()


async def test_an_answer_that_says_so_will_do_for_so_long() -> None:
    assert await fetched_for_s(reply("Cache-Control: max-age=600", "Age: 100")) == 500.0
    assert await fetched_for_s(reply("Cache-Control: no-store")) is None
    assert await fetched_for_s(reply()) is None


async def test_of_several_pages_the_one_that_ages_first_decides() -> None:
    further = 'Link: </posts?page=2>; rel="next"'

    for first, second in ((600, 60), (60, 600)):
        pages = (
            reply(f"Cache-Control: max-age={first}", further),
            reply(f"Cache-Control: max-age={second}"),
        )
        assert await fetched_for_s(*pages) == 60.0


async def test_not_modified_renews_the_freshness() -> None:
    confirmed = reply("Cache-Control: max-age=600", status="304 Not Modified", body="")
    traffic = Traffic()
    async with (
        replying(confirmed) as key,
        open_client(allowed_private=frozenset({key})) as fixture,
    ):
        answer = await fixture.get(f"http://{key}/posts", traffic=traffic, etag='"known"')

        assert isinstance(answer, NotModified)
        assert traffic.fresh_until == fixture.clock.now() + timedelta(seconds=600)
