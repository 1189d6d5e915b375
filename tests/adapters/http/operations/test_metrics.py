"""Metrics: `GET /metrics`, in the text format of Prometheus."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from adapters.http.app import UseCases, create_metrics_app
from adapters.http.operations.prometheus import MOST_SERIES, Metrics
from application.operations.gauges import Gauges
from domain import events
from domain.dataset import Role
from domain.errors import SourceUnavailable, StoreUnavailable
from domain.jobs import FetchJob, Mode
from domain.reports import Counts, FetchReport, SourceReport, SourceStatus
from tests.adapters.http.asgi import Conversation
from tests.adapters.http.http_fixture import GAUGES, SOME_GAUGES, HttpFixture, posts, problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = Gauges(database_works=True, queue_works=True)
#: Everything an anonymous reader may learn has one of these prefixes, and no label but a bound.
OF_PROCESS = ("process_", "python_gc_", "catchment_build_info")


def families(text: str) -> dict[str, Metric]:
    """Return the metric families of a text by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a name by the values of their labels, sorted by label name."""
    found: Iterator[Metric] = text_string_to_metric_families(text)
    return {
        tuple(sample.labels.values()): sample.value
        for family in found
        for sample in family.samples
        if sample.name == name
    }


async def shown(fixture: HttpFixture, role: Role = Role.ADMIN) -> str:
    """Return the metrics as a role sees them, some time after they were last read."""
    fixture.clock.advance(2)
    headers = await fixture.headers(role) if role is not Role.ANYONE else {}
    answer = await fixture.client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


# ---------------------------------------------------------------- what is measured


async def test_requests_are_counted_by_route_status_and_whether_the_answer_was_ready(
    empty: HttpFixture,
) -> None:
    await empty.bring(posts(3))
    for path in ("/data", "/data", "/data", "/data/posts/99", "/nothing/here", "/stats"):
        await empty.client.get(path)
    await empty.client.request("BREW", "/stats")

    found = samples(await shown(empty), "catchment_requests_total")

    assert found == {
        ("GET", "false", "/data", "200"): 1,
        ("GET", "true", "/data", "200"): 2,
        ("GET", "false", "/data", "404"): 1,
        ("GET", "false", "none", "404"): 1,
        ("GET", "false", "/stats", "200"): 1,
        ("other", "false", "none", "405"): 1,
    }


async def test_the_time_of_reading_is_measured_and_that_of_a_ready_answer_is_not(
    empty: HttpFixture,
) -> None:
    for _ in range(5):
        await empty.client.get("/data")

    text = await shown(empty)

    assert samples(text, "catchment_request_duration_seconds_count")["/data",] == 1


async def test_a_fetch_its_records_and_its_merge_are_counted_by_dataset(empty: HttpFixture) -> None:
    await empty.bring(posts(3))
    await empty.client.post("/fetch/posts")
    empty.clock.advance(61)
    empty.sources["posts"][0].failure = SourceUnavailable("no answer")
    await empty.client.post("/fetch/posts")

    text = await shown(empty)

    assert samples(text, "catchment_fetches_total") == {
        ("posts", "changed"): 1,
        ("posts", "fresh"): 1,
        ("posts", "failed"): 1,
    }
    records = samples(text, "catchment_records_total")
    assert {kind for _, kind in records} == {*Counts.__struct_fields__}
    assert (records["posts", "received"], records["posts", "inserted"]) == (3, 3)
    assert samples(text, "catchment_merge_duration_seconds_count") == {("posts",): 1}


async def test_how_sources_jobs_hosts_and_the_quarantine_stand_is_shown(empty: HttpFixture) -> None:
    await empty.bring(posts(3))
    await empty.client.post("/fetch/gauges?mode=task")
    empty.clock.advance(30)

    text = await shown(empty)

    fetched = samples(text, "catchment_source_fetched_timestamp_seconds")
    assert fetched == {("posts", "posts_source"): (NOW + timedelta(seconds=61)).timestamp()}
    assert samples(text, "catchment_source_stale") == {
        ("posts", "posts_source"): 0,
        ("gauges", "gauges_source"): 1,
    }
    assert samples(text, "catchment_jobs") == {("queued",): 1, ("deferred",): 0, ("running",): 0}
    assert samples(text, "catchment_oldest_job_age_seconds")["queued",] == 32
    assert samples(text, "catchment_quarantined_records") == {("posts",): 0, ("gauges",): 0}
    hosts = ("gauges_source", "github.memory", "posts_source")
    assert samples(text, "catchment_upstream_breaker_open") == {(host,): 0 for host in hosts}
    assert samples(text, "catchment_upstream_budget_left")["posts_source",] > 0


async def test_without_a_database_what_was_counted_is_still_shown(empty: HttpFixture) -> None:
    await empty.bring(posts(3))
    empty.probe.failure = StoreUnavailable("the database is gone")

    text = await shown(empty, Role.ANYONE)

    assert samples(text, "catchment_database_up") == {(): 0}
    assert samples(text, "catchment_records_total") == {(): 6}
    assert samples(text, "catchment_jobs") == {}


# ---------------------------------------------------------------- roles


async def test_others_see_totals_and_the_process_and_no_name_at_all(empty: HttpFixture) -> None:
    await empty.bring(posts(3))
    await empty.bring(SOME_GAUGES, GAUGES)
    await empty.client.get("/data")

    for role in (Role.ANYONE, Role.USER):
        text = await shown(empty, role)

        named = {
            sample.name
            for family in families(text).values()
            for sample in family.samples
            if not sample.name.startswith(OF_PROCESS) and sample.labels.keys() - {"le"}
        }
        assert named == set()
        assert samples(text, "catchment_records_total") == {(): 14}
        assert not [name for name in ("posts", "gauges", "/data", "python_info") if name in text]
        assert "process_resident_memory_bytes" in text


async def test_totals_are_sums_extremes_or_none(empty: HttpFixture) -> None:
    await empty.bring(posts(3))
    await empty.bring(SOME_GAUGES, GAUGES)
    empty.clock.advance(3600)

    text = await shown(empty, Role.ANYONE)

    assert samples(text, "catchment_source_stale") == {(): 2}
    earliest = (NOW + timedelta(seconds=61)).timestamp()
    assert samples(text, "catchment_source_fetched_timestamp_seconds") == {(): earliest}
    assert samples(text, "catchment_merge_duration_seconds_bucket")[("+Inf",)] == 2
    assert samples(text, "catchment_logins_refused_total") == {(): 0}
    assert "budget_left" not in text


async def test_a_user_of_a_closed_service_needs_a_login_and_admins_alone_may_ask_by_token() -> None:
    closed = HttpFixture(require_login=True)
    token = HttpFixture(metrics="token")

    problem(await closed.client.get("/metrics"), 401, "login_required")
    problem(await token.client.get("/metrics"), 401, "login_required")
    user = await token.client.get("/metrics", headers=await token.headers(Role.USER))
    problem(user, 403, "forbidden")
    assert "posts" in await shown(token)


async def test_where_metrics_are_off_there_is_no_such_route() -> None:
    fixture = HttpFixture(metrics="off")

    problem(await fixture.client.get("/metrics"), 404, "not_found")
    assert "/metrics" not in (await fixture.client.get("/openapi.json")).json()["paths"]


async def test_a_process_without_an_api_serves_metrics_and_health_and_nothing_else() -> None:
    fixture = HttpFixture()
    use_cases: UseCases = fixture.use_cases
    app = create_metrics_app(use_cases, fixture.settings)
    statuses = {}
    for path in ("/metrics", "/health/live", "/health/ready", "/data", "/docs", "/fetch/jobs", "/"):
        conversation = Conversation(app)
        await conversation.get(path)
        statuses[path] = conversation.status

    assert statuses == {
        "/metrics": 200,
        "/health/live": 200,
        "/health/ready": 200,
        "/data": 404,
        "/docs": 404,
        "/fetch/jobs": 404,
        "/": 404,
    }


# ---------------------------------------------------------------- bounds


def published(metrics: Metrics, event: events.Event) -> None:
    """Publish an event to the metrics."""
    metrics.handlers[type(event)](event)


def test_labels_are_bounded_however_much_is_invented() -> None:
    metrics = Metrics("1")
    for number in range(MOST_SERIES + 500):
        host = f"host-{number}.example"
        published(metrics, events.UpstreamAsked(host=host, status=200, duration_ms=1.0))

    found = samples(metrics.text(NOTHING, True).decode(), "catchment_upstream_requests_total")

    assert len(found) == MOST_SERIES + 1
    assert found["other", "other"] == 500
    assert sum(found.values()) == MOST_SERIES + 500


def test_requests_are_bounded_as_well() -> None:
    metrics = Metrics("1")
    for number in range(MOST_SERIES + 500):
        published(
            metrics,
            events.RequestServed(
                request_id="",
                method="POST",
                route=f"/{number}",
                path="",
                status=200,
                duration_ms=1.0,
            ),
        )

    found = samples(metrics.text(NOTHING, True).decode(), "catchment_requests_total")

    assert len(found) == MOST_SERIES + 1
    assert found["other", "false", "other", "0"] == 500


@pytest.mark.parametrize(
    ("status", "label"), [(200, "200"), (429, "429"), (0, "none"), (299, "2xx"), (999, "9xx")]
)
def test_a_status_that_an_upstream_invents_is_counted_by_its_class(status: int, label: str) -> None:
    metrics = Metrics("1")
    published(metrics, events.UpstreamAsked(host="api.example", status=status, duration_ms=1.0))

    found = samples(metrics.text(NOTHING, True).decode(), "catchment_upstream_requests_total")

    assert found == {("api.example", label): 1}


def test_a_label_may_hold_any_character() -> None:
    metrics = Metrics('1"\\\n')
    host = 'a"b\\c\nd'
    published(metrics, events.UpstreamAsked(host=host, status=200, duration_ms=1.0))

    found = samples(metrics.text(NOTHING, True).decode(), "catchment_upstream_requests_total")

    assert found == {(host, "200"): 1}


def test_every_kind_of_event_that_is_measured_is_counted() -> None:
    kinds = {found for found in vars(events).values() if isinstance(found, type)}
    measured = {kind for kind in kinds if issubclass(kind, events.Measurement)}

    assert measured - {events.Measurement} <= Metrics("1").handlers.keys()


def test_a_job_that_rereads_is_no_fetch_and_its_records_count() -> None:
    report = SourceReport(
        source="one", status=SourceStatus.SUCCEEDED, counts=Counts(received=2, inserted=2)
    )
    metrics = Metrics("1")
    job = FetchJob(
        id="7",
        dataset="posts",
        mode=Mode.REPLAY,
        queued_at=NOW,
        report=FetchReport(sources=(report,)),
    )
    published(metrics, events.JobEnded(job=job))

    text = metrics.text(NOTHING, True).decode()

    assert samples(text, "catchment_fetches_total") == {}
    assert samples(text, "catchment_records_total")["posts", "inserted"] == 2
