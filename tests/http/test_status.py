"""`GET /fetch/status/{job_id}`: how a fetch stands, or ended."""

import httpx

from domain.errors import SourceUnavailable
from tests.http.stage import Stage, posts, problem


async def test_the_status_of_a_fetch_tells_what_the_fetch_told(stage: Stage) -> None:
    stage.clock.advance(61)
    stage.sources["posts"][0].pages = [posts(3)]
    fetched = (await stage.client.post("/fetch")).json()

    status = await stage.client.get(fetched["status_url"])

    assert status.status_code == 200
    assert status.json() == fetched
    assert status.headers["cache-control"] == "no-store"


async def test_the_status_of_a_failed_fetch_is_an_answer_and_not_an_error(stage: Stage) -> None:
    stage.clock.advance(61)
    stage.sources["posts"][0].failure = SourceUnavailable("no answer")
    report = (await stage.client.post("/fetch")).json()["report"]

    status = await stage.client.get(report["status_url"])

    assert status.status_code == 200
    assert status.json()["status"] == "failed"
    assert status.json()["sources"][0]["error"]["code"] == "source_unavailable"


async def test_an_unknown_job_is_not_found(client: httpx.AsyncClient) -> None:
    problem(await client.get("/fetch/status/nobody"), 404, "unknown_job")


async def test_every_route_with_a_get_has_a_head(client: httpx.AsyncClient) -> None:
    for path in ("/", "/datasets", "/health", "/health/live", "/health/ready"):
        got, head = await client.get(path), await client.head(path)

        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
