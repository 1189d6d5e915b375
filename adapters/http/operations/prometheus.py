"""Metrics in the text format of Prometheus: counters fed by events, gauges read on request."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from application.operations.gauges import STATES, Gauges, JobsGauge
from domain import events
from domain.politeness import Breaker

#: The framework adds the charset.
MEDIA_TYPE = "text/plain; version=0.0.4"
#: The limit of series of one metric; any more are counted together as "other".
MOST_SERIES = 1000
OTHER = "other"
#: The labels of a request without a route, and of an upstream without a status.
NO_ROUTE, NO_STATUS = "none", "none"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_STATUSES = frozenset(int(status) for status in HTTPStatus)
_REQUEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_WORK_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Series:
    """The series of one metric by the values of its labels, bounded in number."""

    def __init__(self, metric: Counter | Histogram) -> None:
        self._metric: Any = metric
        self._known: dict[tuple[Any, ...], Any] = {}

    def of(self, *values: Any) -> Any:
        """Return the series with these values, or that of all others if there are too many."""
        if not values:
            return self._metric
        # The values themselves are the key, because converting them to text is slow.
        found = self._known.get(values)
        if found is None:
            if len(self._known) >= MOST_SERIES:
                return self._metric.labels(*[OTHER] * len(values))
            found = self._known[values] = self._metric.labels(*map(_text, values))
        return found


class Metrics:
    """Counters fed by events, and the text of all metrics."""

    def __init__(self, version: str) -> None:
        # When a series began is another series each, of which Prometheus makes nothing.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        prometheus_client.PlatformCollector(registry=self._registry)
        self._process = CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self._process)
        prometheus_client.GCCollector(registry=self._process)
        prometheus_client.Info(
            "catchment_build", "The version that runs.", registry=self._process
        ).info({"version": version})
        #: Requests by what `_requests_family` names: counted by hand, for a ready page takes less
        #: time than a counter of the library.
        self._requests: dict[tuple[str, str, int, bool], int] = {}
        self._request_s = self._histogram(
            "request_duration_seconds",
            "Time until an answer that was not ready, such as a page that had to be read.",
            _REQUEST_S,
            "route",
        )
        self._logins = self._counter("logins_refused", "Logins refused.", "code")
        self._fetches = self._counter("fetches", "Fetches that ended.", "dataset", "outcome")
        self._fetch_s = self._histogram(
            "fetch_duration_seconds", "Time of a fetch once it ran.", _WORK_S, "dataset"
        )
        self._records = self._counter(
            "records", "Records received, by what became of them.", "dataset", "kind"
        )
        self._merge_s = self._histogram(
            "merge_duration_seconds", "Time of a merge.", _WORK_S, "dataset"
        )
        self._upstream = self._counter(
            "upstream_requests", "Requests sent to upstreams.", "host", "status"
        )
        self._upstream_s = self._histogram(
            "upstream_request_duration_seconds", "Time of a request.", _WORK_S, "host"
        )
        self._waits_s = self._counter(
            "upstream_wait_seconds", "Time that requests were held back.", "host"
        )
        self._interrupted = self._counter("jobs_interrupted", "Jobs that broke off.")
        self._alerts_failed = self._counter("alerts_failed", "Alerts that could not be sent.")
        self.handlers: Mapping[type[events.Event], Callable[[Any], None]] = {
            events.RequestServed: self._request_served,
            events.ReadServed: self._request_served,
            events.JobEnded: self._job_ended,
            events.JobDeferred: self._job_deferred,
            events.JobInterrupted: lambda event: self._interrupted.of().inc(),
            events.FetchFresh: lambda event: self._fetches.of(event.dataset, "fresh").inc(),
            events.Merged: self._merged,
            events.UpstreamAsked: self._upstream_asked,
            events.UpstreamWaited: self._upstream_waited,
            events.AlertFailed: lambda event: self._alerts_failed.of().inc(),
            events.LoginRefused: lambda event: self._logins.of(event.code).inc(),
        }

    def text(self, gauges: Gauges, labelled: bool) -> bytes:
        """Return the text of all metrics; without labels of the totals and the process alone."""
        counted = [_requests_family(self._requests), *self._registry.collect()]
        measured = [*counted, *_families(gauges)]
        shown = measured if labelled else [t for t in map(_total, measured) if t is not None]
        return prometheus_client.generate_latest(_Families([*shown, *self._process.collect()]))

    def _counter(self, name: str, about: str, *labels: str) -> Series:
        return Series(Counter(f"catchment_{name}", about, labels, registry=self._registry))

    def _histogram(self, name: str, about: str, bounds: tuple[float, ...], *labels: str) -> Series:
        name = f"catchment_{name}"
        return Series(Histogram(name, about, labels, registry=self._registry, buckets=bounds))

    # ------------------------------------------------------------ events

    def _request_served(self, event: events.RequestServed) -> None:
        key = (event.method, event.route, event.status, event.ready)
        if key in self._requests:
            self._requests[key] += 1
        else:
            self._count_first(*key)
        if not event.ready:
            self._request_s.of(event.route or NO_ROUTE).observe(event.duration_ms / 1000)

    def _count_first(self, method: str, route: str, status: int, ready: bool) -> None:
        """Count the first request of its kind; an unknown method counts as "other"."""
        key = (method if method in _METHODS else OTHER, route, status, ready)
        if len(self._requests) >= MOST_SERIES:
            key = (OTHER, OTHER, 0, False)
        self._requests[key] = self._requests.get(key, 0) + 1

    def _job_ended(self, event: events.JobEnded) -> None:
        job, report = event.job, event.job.report
        if job.mode.asks:
            outcome = job.outcome.value if job.outcome else job.status.value
            self._fetches.of(job.dataset, outcome).inc()
            if job.started_at is not None and job.finished_at is not None:
                took_s = (job.finished_at - job.started_at).total_seconds()
                self._fetch_s.of(job.dataset).observe(max(0.0, took_s))
        if report is not None:
            counts = report.counts
            for kind in counts.__struct_fields__:
                self._records.of(job.dataset, kind).inc(getattr(counts, kind))

    def _job_deferred(self, event: events.JobDeferred) -> None:
        self._fetches.of(event.job.dataset, "deferred").inc()

    def _merged(self, event: events.Merged) -> None:
        self._merge_s.of(event.dataset).observe(event.duration_ms / 1000)

    def _upstream_asked(self, event: events.UpstreamAsked) -> None:
        # Of an unknown status only the class is kept.
        known = event.status in _STATUSES or not event.status
        status = event.status or NO_STATUS
        self._upstream.of(event.host, status if known else f"{event.status // 100}xx").inc()
        self._upstream_s.of(event.host).observe(event.duration_ms / 1000)

    def _upstream_waited(self, event: events.UpstreamWaited) -> None:
        self._waits_s.of(event.host).inc(event.duration_ms / 1000)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Families(Collector):
    """Given families as a collector, for the function that writes the text."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._families


def _requests_family(counts: Mapping[tuple[str, str, int, bool], int]) -> Metric:
    labels = ("method", "route", "status", "ready")
    family = CounterMetricFamily("catchment_requests", "Requests answered.", labels=labels)
    for (method, route, status, ready), count in counts.items():
        family.add_metric([method, route or NO_ROUTE, str(status), _text(ready)], count)
    return family


# ---------------------------------------------------------------- gauges


def _families(gauges: Gauges) -> Iterator[Metric]:
    """Yield what is measured by looking; what cannot be seen without the database is left out."""
    yield _gauge("database_up", "Whether the database answers.", gauges.database_works)
    yield _gauge("queue_up", "Whether jobs can be announced.", gauges.queue_works)
    pools = {(pool.name,): pool for pool in gauges.pools}
    for name, about in (
        ("most", "Connections to the database that there may be."),
        ("open", "Connections to the database that are open."),
        ("busy", "Connections to the database in use."),
        ("waiting", "Tasks that wait for a connection to the database."),
    ):
        values = {labels: getattr(pool, name) for labels, pool in pools.items()}
        yield _gauge(f"database_connections_{name}", about, values, "pool")
    if gauges.database_works:
        yield from _of_jobs(gauges.jobs)
        yield from _of_upstreams(gauges)
        yield from _of_sources(gauges)


def _of_jobs(jobs: Mapping[str, JobsGauge]) -> Iterator[Metric]:
    known = {(state,): jobs.get(state, JobsGauge()) for state in STATES}
    counts = {labels: jobs.count for labels, jobs in known.items()}
    yield _gauge("jobs", "Jobs that have not ended.", counts, "state")
    ages = {labels: jobs.oldest_s for labels, jobs in known.items()}
    yield _gauge("oldest_job_age_seconds", "Age of the oldest of these jobs.", ages, "state")


def _of_upstreams(gauges: Gauges) -> Iterator[Metric]:
    hosts = {(name,): host for name, host in gauges.hosts.items()}
    left = {labels: host.left for labels, host in hosts.items()}
    yield _gauge("upstream_budget_left", "Requests that may be sent at once.", left, "host")
    isolated = {labels: host.breaker is not Breaker.CLOSED for labels, host in hosts.items()}
    about = "Whether the breaker is open, or half open."
    yield _gauge("upstream_breaker_open", about, isolated, "host")
    blocked = {labels: host.blocked_s for labels, host in hosts.items()}
    about = "Time for which a host has asked to be left alone."
    yield _gauge("upstream_blocked_seconds", about, blocked, "host")


def _of_sources(gauges: Gauges) -> Iterator[Metric]:
    sources = {(source.dataset, source.source): source for source in gauges.sources}
    names = ("dataset", "source")
    stale = {labels: source.stale for labels, source in sources.items()}
    yield _gauge("source_stale", "Whether the last success is too long ago.", stale, *names)
    fetched = {
        labels: source.fetched_at.timestamp()
        for labels, source in sources.items()
        if source.fetched_at is not None
    }
    about = "Time of the last success."
    yield _gauge("source_fetched_timestamp_seconds", about, fetched, *names)
    waiting = {(name,): count for name, count in gauges.quarantined.items()}
    yield _gauge("quarantined_records", "Records in quarantine.", waiting, "dataset")


def _gauge(
    name: str, about: str, values: float | Mapping[Any, float], *labels: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"catchment_{name}", about, labels=labels)
    for found, value in values.items() if isinstance(values, Mapping) else [((), values)]:
        family.add_metric(list(found), float(value))
    return family


# ---------------------------------------------------------------- totals

#: Metrics whose total is not the sum, and those that have none.
_TOTALS = {
    "catchment_oldest_job_age_seconds": max,
    "catchment_upstream_blocked_seconds": max,
    "catchment_source_fetched_timestamp_seconds": min,
    "catchment_upstream_budget_left": None,
    "python_info": None,
}
#: The label that makes a histogram of several samples.
_BOUND = "le"


def _total(family: Metric) -> Metric | None:
    """Return a family's totals over all labels; None for one of which there is none."""
    fold = _TOTALS.get(family.name, sum)
    if fold is None:
        return None
    values: dict[tuple[str, str | None], list[float]] = {}
    for sample in family.samples:
        values.setdefault((sample.name, sample.labels.get(_BOUND)), []).append(sample.value)
    total = Metric(family.name, family.documentation, family.type)
    if family.type == "counter" and not values:
        values[f"{family.name}_total", None] = [0.0]
    for (name, bound), found in values.items():
        total.add_sample(name, {} if bound is None else {_BOUND: bound}, fold(found))
    return total
