"""Traces of requests: each that is not repeated from memory is a span, within its client's."""

from application.ports.operations import SpanKind
from tests.adapters.http.http_fixture import HttpFixture, posts

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


async def test_a_request_is_a_span_with_its_route_and_status(empty: HttpFixture) -> None:
    for method, path in (
        ("GET", "/data/posts/1"),
        ("POST", "/fetch/posts"),
        ("GET", "/no%20where"),
    ):
        await empty.client.request(method, path)

    spans = [span for span in empty.memory.tracer.spans if span.kind is SpanKind.SERVER]
    assert [(span.name, span.attributes) for span in spans] == [
        (
            "GET /data",
            {
                "http.request.method": "GET",
                "url.path": "/data/posts/1",
                "http.route": "/data",
                "http.response.status_code": 404,
            },
        ),
        (
            "POST /fetch/{dataset}",
            {
                "http.request.method": "POST",
                "url.path": "/fetch/posts",
                "http.route": "/fetch/{dataset}",
                "http.response.status_code": 200,
            },
        ),
        (
            "GET",
            {
                "http.request.method": "GET",
                "url.path": "/no%20where",
                "http.route": "",
                "http.response.status_code": 404,
            },
        ),
    ]


async def test_a_trace_of_the_client_is_continued_to_the_merge(empty: HttpFixture) -> None:
    empty.sources["posts"][0].pages = [posts(1)]

    await empty.client.post("/fetch/posts?mode=task", headers={"traceparent": PARENT})
    await empty.work()

    assert [span.name for span in empty.memory.tracer.spans] == [
        "POST /fetch/{dataset}",
        "job",
        "merge",
    ]
    assert {span.trace for span in empty.memory.tracer.spans} == {TRACE}


async def test_a_repeated_answer_from_memory_is_no_span(empty: HttpFixture) -> None:
    await empty.bring(posts(1))
    empty.memory.tracer.spans.clear()

    for _ in range(5):
        await empty.client.get("/data")

    assert len(empty.memory.tracer.spans) == 1
