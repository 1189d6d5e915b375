"""The page on observing: it names exactly the metrics there are, and so do its files."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from adapters.http.operations.prometheus import Metrics
from application.operations.gauges import Gauges, HostGauge, JobsGauge
from application.operations.health import SourceHealth
from application.ports.operations import PoolUsage
from domain import events
from domain.alerts import Alert, AlertEvent, Kind
from domain.jobs import FetchJob
from domain.politeness import Breaker
from domain.reports import FetchReport
from tests.docs.markdown import DOCS, codes, rows, section

PAGE = DOCS / "how-to" / "observe.md"
FILES = DOCS / "how-to" / "observe"
RULES = yaml.safe_load((FILES / "catchment-rules.yml").read_text(encoding="utf-8"))
TESTS = yaml.safe_load((FILES / "catchment-rules-test.yml").read_text(encoding="utf-8"))
DASHBOARD = json.loads((FILES / "grafana-dashboard.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: What Prometheus adds to what it scrapes.
ADDED = {"instance", "job", "le"}

METRIC = re.compile(r"\b(?:catchment|process)_\w+")
#: A metric with its matchers, and what its samples are grouped by.
MATCHED = re.compile(r"(catchment_\w+){([^}]*)}")
GROUPED = re.compile(r"by \(([^)]*)\) \([^a-z]*(?:\w+\()?(catchment_\w+)")


def everything() -> dict[str, set[str]]:
    """Return every metric of ours that can be exposed, as its samples are named, with labels."""
    job = FetchJob(
        id="7",
        dataset="posts",
        queued_at=NOW,
        started_at=NOW,
        finished_at=NOW,
        report=FetchReport(),
    )
    request = {"request_id": "", "method": "GET", "route": "/data", "path": "/data", "status": 200}
    alert = Alert(
        event=AlertEvent.RAISED,
        kind=Kind.STALE,
        subject="posts",
        dataset="posts",
        source=None,
        detail="",
        since=NOW,
        at=NOW,
    )
    metrics = Metrics("1")
    for event in (
        events.ReadServed(**request, duration_ms=1.0),
        events.LoginRefused(account="", network="", code="wrong_credentials"),
        events.JobEnded(job=job),
        events.Merged(dataset="posts", source="one", duration_ms=1.0),
        events.UpstreamAsked(host="one", status=200, duration_ms=1.0),
        events.UpstreamWaited(host="one", duration_ms=1.0),
        events.JobInterrupted(job="7", dataset=None, error=ValueError()),
        events.AlertFailed(alert=alert, error=ValueError()),
    ):
        metrics.handlers[type(event)](event)
    gauges = Gauges(
        database_works=True,
        queue_works=True,
        pools=(PoolUsage(name="read", most=1, open=1, busy=1, waiting=0),),
        jobs={"queued": JobsGauge()},
        sources=(SourceHealth(source="one", dataset="posts", fetched_at=NOW, stale=False),),
        hosts={"one": HostGauge(left=1, breaker=Breaker.CLOSED, blocked_s=0.0)},
        quarantined={"posts": 0},
    )
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.text(gauges, True).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


EXPOSED = everything()


def expressions() -> Iterator[str]:
    """Yield every expression of the rules and the dashboard."""
    for group in RULES["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))


def test_every_metric_is_on_the_page_with_its_kind_and_labels_and_no_other() -> None:
    text = metrics_of_the_page()
    named = {family for family in METRIC.findall(" ".join(EXPOSED)) if family[0] == "c"}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}

    assert {name for name, _, _ in text} == families
    for name, kind, labels in text:
        sample = f"{name}_bucket" if kind == "histogram" else name
        assert labels | ({"le"} if kind == "histogram" else set()) == EXPOSED[sample]
        assert (kind == "counter") == name.endswith("_total")


def metrics_of_the_page() -> list[tuple[str, str, set[str]]]:
    """Return what the page says of each metric: name, kind and labels."""
    listed = rows(section(PAGE, "All metrics"))
    return [(codes(row[0])[0], row[1], set(codes(row[2]))) for row in listed]


def test_every_metric_that_is_asked_for_exists() -> None:
    asked = {name for text in expressions() for name in METRIC.findall(text)}
    tested = {
        name
        for test in TESTS["tests"]
        for series in test["input_series"]
        for name in METRIC.findall(series["series"])
    }
    watched = set(METRIC.findall(section(PAGE, "What to watch")))

    assert asked | tested <= EXPOSED.keys()
    assert watched <= EXPOSED.keys() | {re.sub(r"_bucket$", "", name) for name in EXPOSED}


def test_every_label_that_is_asked_for_exists() -> None:
    asked: list[tuple[str, set[str]]] = []
    for text in expressions():
        asked += [(name, set(re.findall(r"(\w+)=", part))) for name, part in MATCHED.findall(text)]
        asked += [(name, set(re.findall(r"\w+", part))) for part, name in GROUPED.findall(text)]

    assert len(asked) > 20
    for name, labels in asked:
        assert labels <= EXPOSED[name] | ADDED, name


def test_every_rule_has_a_severity_and_says_what_to_do_and_is_tested() -> None:
    rules: list[dict[str, Any]] = RULES["groups"][0]["rules"]
    names = [rule["alert"] for rule in rules]
    quiet, loud = TESTS["tests"]

    for rule in rules:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".")
    assert [test["alertname"] for test in quiet["alert_rule_test"]] == names
    fired = [sample["labels"] for sample in loud["promql_expr_test"][0]["exp_samples"]]
    assert fired == [f'{{alertname="{name}"}}' for name in names]


def test_the_dashboard_is_sound() -> None:
    panels = DASHBOARD["panels"]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]

    assert len({panel["id"] for panel in panels}) == len(panels) == len({*places})
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in panels)
    assert all(panel["title"] for panel in panels)
    [variable] = DASHBOARD["templating"]["list"]
    assert {p["datasource"]["uid"] for p in panels if "targets" in p} == {
        f"${{{variable['name']}}}"
    }


def test_the_scraping_is_of_services_and_ports_that_exist() -> None:
    scraped = yaml.safe_load((FILES / "prometheus.yml").read_text(encoding="utf-8"))
    compose = yaml.safe_load((DOCS.parent / "docker-compose.yml").read_text(encoding="utf-8"))
    [job] = scraped["scrape_configs"]
    [targets] = job["static_configs"]

    assert scraped["rule_files"] == ["catchment-rules.yml"]
    assert {target.partition(":")[0] for target in targets["targets"]} <= {*compose["services"]}
    assert "CATCHMENT_METRICS_PORT=9100" in PAGE.read_text(encoding="utf-8")
