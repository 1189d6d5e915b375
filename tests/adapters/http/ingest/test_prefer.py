"""The `Prefer` header (RFC 7240): tasks, and waiting for them."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from adapters.http.ingest.prefer import ExecutionPreference, preference_of, preferences_of
from adapters.http.protocol.waiting import MAX_WAITING
from domain.errors import StoreUnavailable, UnexpectedContent
from tests.adapters.http.http_fixture import POSTS, HttpFixture, posts, problem

# ---------------------------------------------------------------- reading the header


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("", {}),
        ("respond-async", {"respond-async": ""}),
        ("Respond-ASYNC", {"respond-async": ""}),
        ("respond-async, wait=10", {"respond-async": "", "wait": "10"}),
        ("wait=10,respond-async", {"respond-async": "", "wait": "10"}),
        ("wait = 10", {"wait": "10"}),
        ('wait="10"', {"wait": "10"}),
        ('wait=""', {"wait": ""}),
        ("wait=", {"wait": ""}),
        ("wait=1, wait=2", {"wait": "1"}),
        ("wait=x, wait=2", {"wait": "x"}),
        ("wait=1; note=slow", {"wait": "1"}),
        ('wait=1; note="a, b", foo', {"wait": "1", "foo": ""}),
        ('foo="a, wait=9, b", wait=1', {"foo": "a, wait=9, b", "wait": "1"}),
        (r'foo="\"", wait=1', {"foo": '"', "wait": "1"}),
        (",, ,wait=1,,", {"wait": "1"}),
        ('foo="wait=1', {}),
        ("wait=1 2, foo", {"foo": ""}),
        ("wa it, =1, (x), é, foo", {"foo": ""}),
    ],
)
def test_preferences_are_read_as_the_standard_has_them(
    prefer: str, expected: dict[str, str]
) -> None:
    assert preferences_of(prefer) == expected


@pytest.mark.parametrize(
    "prefer", ['"\\' * 8000, '"' * 16000, "a=" + " " * 16000 + "\x01", "a;" * 8000, "a" * 16000]
)
def test_no_header_takes_long_to_read(prefer: str) -> None:
    assert len(preferences_of(prefer)) <= 1


@pytest.mark.parametrize(
    ("mode", "prefer", "expected"),
    [
        (None, "", ExecutionPreference(is_task=False)),
        (None, "respond-async", ExecutionPreference(is_task=True, applied="respond-async")),
        (None, "wait=5", ExecutionPreference(is_task=True, wait_s=5, applied="wait=5")),
        (None, "wait=0", ExecutionPreference(is_task=True, applied="wait=0")),
        (
            None,
            "wait=5, respond-async",
            ExecutionPreference(is_task=True, wait_s=5, applied="respond-async, wait=5"),
        ),
        (None, "wait=40", ExecutionPreference(is_task=True, wait_s=30, applied="wait=30")),
        (None, "wait=999999999", ExecutionPreference(is_task=True, wait_s=30, applied="wait=30")),
        (None, "wait=-1", ExecutionPreference(is_task=False)),
        (None, "wait=1.5", ExecutionPreference(is_task=False)),
        (None, "wait=" + "9" * 5000, ExecutionPreference(is_task=False)),
        (None, "respond-async=no", ExecutionPreference(is_task=False)),
        (None, "handling=lenient, return=minimal", ExecutionPreference(is_task=False)),
        ("sync", "respond-async, wait=5", ExecutionPreference(is_task=False)),
        ("task", "wait=5", ExecutionPreference(is_task=True)),
    ],
)
def test_a_mode_decides_alone_and_otherwise_the_preferences(
    mode: str | None, prefer: str, expected: ExecutionPreference
) -> None:
    assert preference_of(mode, prefer, longest_s=30) == expected


def test_no_wait_is_longer_than_a_minute() -> None:
    assert preference_of(None, "wait=600", longest_s=3600).wait_s == 60


# ---------------------------------------------------------------- answers


async def test_respond_async_starts_a_task(empty: HttpFixture) -> None:
    answer = await empty.client.post("/fetch", headers={"Prefer": "respond-async"})

    assert (answer.status_code, answer.json()["mode"]) == (202, "task")
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.headers["location"] == answer.json()["status_url"]
    assert empty.queue.announced == [answer.json()["job_id"]]


async def test_a_mode_in_the_query_wins(empty: HttpFixture) -> None:
    answer = await empty.client.post("/fetch?mode=sync", headers={"Prefer": "respond-async"})

    assert (answer.status_code, answer.json()["mode"]) == (200, "sync")
    assert "preference-applied" not in answer.headers


async def test_several_lines_are_one_list_and_the_first_counts(empty: HttpFixture) -> None:
    lines = [("Prefer", "return=minimal"), ("Prefer", "wait=0"), ("Prefer", "wait=50")]

    answer = await empty.client.post("/fetch", headers=httpx.Headers(lines))

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=0"


@pytest.mark.parametrize("prefer", ["", "wait", "wait=soon", "respond-async=1", "x" * 9000, "é;;,"])
async def test_what_is_no_preference_of_ours_is_passed_over(
    empty: HttpFixture, prefer: str
) -> None:
    answer = await empty.client.post("/fetch", headers={b"Prefer": prefer.encode("latin-1")})

    assert (answer.status_code, answer.json()["mode"]) == (200, "sync")
    assert "preference-applied" not in answer.headers


async def waited(fixture: HttpFixture, seconds: float, after_s: float | None) -> httpx.Response:
    """Return the answer to a caller who waits, if a worker starts so much later or never."""
    headers = {"Prefer": f"wait={seconds}"}
    asking = asyncio.create_task(fixture.client.post("/fetch", headers=headers))
    await fixture.clock.settle()
    if after_s is not None:
        await fixture.clock.elapse(after_s)
        await fixture.work()
    await fixture.clock.elapse(seconds)
    return await asking


async def test_a_task_that_ends_while_its_caller_waits_is_answered_whole(
    empty: HttpFixture,
) -> None:
    empty.sources["posts"][0].pages = [posts(3)]

    answer = await waited(empty, 5, after_s=2)

    body = answer.json()
    assert answer.status_code == 200
    assert (body["mode"], body["outcome"], body["counts"]["inserted"]) == ("task", "changed", 3)
    assert answer.headers["preference-applied"] == "wait=5"
    assert "location" not in answer.headers


async def test_a_task_that_does_not_end_in_time_goes_on(empty: HttpFixture) -> None:
    answer = await waited(empty, 5, after_s=None)

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "wait=5"
    assert answer.headers["location"] == answer.json()["status_url"]
    assert empty.clock.now().second == 5


async def test_a_task_that_fails_while_its_caller_waits_is_a_problem(empty: HttpFixture) -> None:
    empty.sources["posts"][0].failure = UnexpectedContent("not a list")

    answer = await waited(empty, 5, after_s=1)

    assert problem(answer, 502, "unexpected_content")["report"]["outcome"] == "failed"
    assert answer.headers["preference-applied"] == "wait=5"


async def test_what_is_fresh_is_not_waited_for(fixture: HttpFixture) -> None:
    await fixture.bring(posts(100))

    answer = await fixture.client.post("/fetch", headers={"Prefer": "wait=5"})

    assert (answer.status_code, answer.json()["outcome"]) == (200, "fresh")


async def test_no_wait_is_longer_than_a_fetch_may_take(empty: HttpFixture) -> None:
    fixture = HttpFixture(POSTS, clock=empty.clock, deadline=timedelta(seconds=7))

    answer = await waited(fixture, 50, after_s=None)

    assert answer.headers["preference-applied"] == "wait=7"


async def test_when_too_many_wait_a_task_is_only_started(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(1)]
    empty.sources["posts"][0].takes_s = 1
    callers = [asyncio.create_task(empty.client.post("/fetch")) for _ in range(MAX_WAITING)]
    await empty.clock.settle()

    answer = await empty.client.post("/fetch", headers={"Prefer": "wait=5"})
    await empty.clock.elapse(2)
    await asyncio.gather(*callers)

    assert (answer.status_code, answer.json()["status"]) == (202, "running")


async def test_a_task_whose_end_cannot_be_read_is_still_a_task(empty: HttpFixture) -> None:
    asking = asyncio.create_task(empty.client.post("/fetch", headers={"Prefer": "wait=5"}))
    await empty.clock.settle()

    empty.history.failure = StoreUnavailable("gone")
    await empty.clock.elapse(1)

    assert (await asking).status_code == 202
