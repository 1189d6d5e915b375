"""The access log: one line for each request, and its identifier in every other line."""

import logging
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
import structlog

from adapters.memory.operations import MemoryEvents
from domain.events import ReadServed, RequestServed
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import HttpFixture, posts

Events = list[MutableMapping[str, Any]]


@pytest.fixture
def log_level() -> int:
    """Return the log level."""
    return logging.DEBUG


@pytest.fixture
def lines() -> Iterator[Events]:
    """Yield all log lines of a test."""
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as events:
        yield events


@pytest.mark.parametrize(
    ("method", "path", "status", "level"),
    [
        ("GET", "/data?limit=1", 200, "debug"),
        ("HEAD", "/data", 200, "debug"),
        ("GET", "/nothing", 404, "debug"),
        ("POST", "/fetch/comments", 404, "info"),
        ("DELETE", "/fetch/status/x", 401, "info"),
    ],
)
async def test_each_request_is_one_line(
    empty: HttpFixture, lines: Events, method: str, path: str, status: int, level: str
) -> None:
    answer = await empty.client.request(method, path, headers={"X-Request-ID": "mine"})

    [event] = lines
    assert event.pop("duration_ms") >= 0
    assert answer.headers["x-request-id"] == "mine"
    assert event == {
        "event": "request",
        "log_level": level,
        "method": method,
        "path": path.partition("?")[0],
        "status": status,
        "request_id": "mine",
    }


@pytest.mark.parametrize("path", ["/fetch", "/fetch?mode=task"])
async def test_a_request_that_deals_with_a_job_names_it(
    empty: HttpFixture, lines: Events, path: str
) -> None:
    fetched = (await empty.client.post(path)).json()
    await empty.client.get(fetched["status_url"])
    await empty.client.get("/data")

    assert [event.get("job") for event in lines] == [fetched["job_id"], fetched["job_id"], None]


async def test_what_breaks_is_logged_with_the_request_it_broke(
    empty: HttpFixture, lines: Events
) -> None:
    empty.broken.failure = RuntimeError("broken")

    for path in ("/data", "/datasets"):
        await empty.client.get(path, headers={"X-Request-ID": path[1:]})

    assert [(event["event"], event["request_id"]) for event in lines] == [
        ("request failed", "data"),
        ("request", "data"),
        ("request failed", "datasets"),
        ("request", "datasets"),
    ]


async def test_a_client_that_disconnects_midway_is_logged_with_the_status_it_got(
    empty: HttpFixture, lines: Events
) -> None:
    await empty.bring(posts(3))
    conversation = Conversation(empty.app)
    conversation.leaves_after = 1

    await conversation.get("/data?format=ndjson")

    [event] = [event for event in lines if event["event"] == "request"]
    assert event["status"] == 200
    assert not conversation.finished


async def test_an_event_has_the_pattern_of_the_route_and_whether_a_record_was_read() -> None:
    events = MemoryEvents()
    fixture = HttpFixture(events=events)
    await fixture.bring(posts(1))
    status_url = (await fixture.client.post("/fetch")).json()["status_url"]
    reads = ["/data/posts/1", "/data", "/data", "/data"]
    for path in (status_url, *reads, "/docs", "/nothing/at/all"):
        await fixture.client.get(path)

    served = events.of(RequestServed)
    assert [(type(event), event.route, event.ready) for event in served] == [
        (RequestServed, "/fetch", False),
        (ReadServed, "/fetch/status/{job_id}", False),
        (ReadServed, "/data", False),
        (ReadServed, "/data", False),
        (ReadServed, "/data", True),
        (ReadServed, "/data", True),
        (ReadServed, "/docs", False),
        (ReadServed, "", False),
    ]


async def test_a_repeated_read_is_a_line_with_its_own_name(
    empty: HttpFixture, lines: Events
) -> None:
    await empty.bring(posts(1))
    lines.clear()

    answers = [await empty.client.get("/data") for _ in range(3)]

    assert [event["request_id"] for event in lines] == [
        answer.headers["x-request-id"] for answer in answers
    ]


async def test_a_repeated_read_is_an_event_like_any_other_with_the_name_its_client_got() -> None:
    events = MemoryEvents()
    fixture = HttpFixture(events=events)
    await fixture.bring(posts(1))
    client = fixture.client

    answers = [await client.get("/data/posts/1") for _ in range(3)]
    gone = [
        await client.get("/data/posts/1", headers={"If-None-Match": answers[0].headers["etag"]})
        for _ in range(3)
    ]

    served = events.of(ReadServed)
    assert [event.ready for event in served] == [False, True, True, True, True, True]
    assert [event.status for event in served] == [200, 200, 200, 304, 304, 304]
    assert {(e.method, e.route, e.path) for e in served} == {("GET", "/data", "/data/posts/1")}
    assert [e.request_id for e in served] == [a.headers["x-request-id"] for a in answers + gone]
    assert all(event.duration_ms >= 0 for event in served)


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
async def test_reads_are_not_logged_unless_everything_is(level: int) -> None:
    quiet = structlog.make_filtering_bound_logger(level)
    structlog.configure(wrapper_class=quiet)
    try:
        with structlog.testing.capture_logs() as events:
            fixture = HttpFixture()
            await fixture.client.get("/data")
            await fixture.client.post("/fetch")
    finally:
        structlog.reset_defaults()

    assert [event["method"] for event in events] == (["POST"] if level == logging.INFO else [])
