"""Logs: structured lines of events on standard error, for people or for programs."""

import logging
import sys
from typing import Any

import msgspec
import structlog

from adapters.system.events import Handler
from domain import events
from domain.alerts import AlertEvent
from domain.errors import CatchmentError
from domain.reports import Outcome

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str, form: str) -> None:
    """Send our own and the libraries' logs to standard error in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        # Tracebacks without local values, which may be secrets.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    tracebacks = [structlog.processors.format_exc_info] if form == "json" else []
    structlog.configure(
        processors=[*shared, *tracebacks, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, *tracebacks],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(_LEVELS[level], logging.WARNING), force=True)


class Logs:
    """The subscriber that logs events; it does not subscribe to kinds hidden by the level."""

    def __init__(self) -> None:
        # Bound once: an unbound logger takes 20 times as long.
        self._log: Any = structlog.get_logger().bind()
        self.handlers: dict[type[events.Event], Handler] = {
            events.RequestFailed: self._request_failed,
            events.JobEnded: self._job_ended,
            events.JobDeferred: self._job_deferred,
            events.JobInterrupted: self._job_interrupted,
            events.SweepFailed: self._sweep_failed,
            events.ScheduleFailed: self._schedule_failed,
            events.AnnouncementFailed: self._announcement_failed,
            events.AnnouncementDropped: self._announcement_dropped,
            events.BrokerLost: self._broker_lost,
            events.BrokerFound: self._broker_found,
            events.AlertSent: self._alert_sent,
            events.AlertFailed: self._alert_failed,
            events.WatchFailed: self._watch_failed,
            events.Pruned: self._pruned,
            events.PruneFailed: self._prune_failed,
            events.AdminRoleMissing: self._admin_role_missing,
        }
        if self._log.is_enabled_for(logging.INFO):
            self.handlers[events.RequestServed] = self._request_served
        if self._log.is_enabled_for(logging.DEBUG):
            self.handlers[events.ReadServed] = self._read_served

    # ------------------------------------------------------------ requests

    def _request_served(self, event: events.RequestServed) -> None:
        self._log.info("request", **_request(event))

    def _read_served(self, event: events.ReadServed) -> None:
        self._log.debug("request", **_request(event))

    def _request_failed(self, event: events.RequestFailed) -> None:
        self._log.error("request failed", path=event.path, exc_info=event.error)

    # ------------------------------------------------------------ jobs

    def _job_ended(self, event: events.JobEnded) -> None:
        job, report = event.job, event.job.report
        if event.waited_for:
            return  # its caller has the report
        log = self._log.bind(dataset=job.dataset, job=job.id)
        if report is None:
            log.info("job cancelled", status=job.status.value)
        elif report.outcome is Outcome.FAILED:
            log.warning(
                "fetch failed; what is stored stays, and `catchment demo` needs no upstream",
                reason="; ".join(failure.detail for failure in report.failures),
            )
        else:
            counts = msgspec.structs.asdict(report.counts)
            counted = {name: count for name, count in counts.items() if count}
            message = "fetched" if job.mode.asks else "reprocessed"
            log.info(message, outcome=report.outcome.value, **counted)

    def _job_deferred(self, event: events.JobDeferred) -> None:
        job = event.job
        if job.run_at is not None and not event.waited_for:
            log = self._log.bind(dataset=job.dataset, job=job.id)
            log.info("fetch waits for its source", run_at=job.run_at.isoformat())

    def _job_interrupted(self, event: events.JobInterrupted) -> None:
        self._fetch_failed(event.error, dataset=event.dataset or "?", job=event.job)

    def _sweep_failed(self, event: events.SweepFailed) -> None:
        self._fetch_failed(event.error, dataset="*")

    def _schedule_failed(self, event: events.ScheduleFailed) -> None:
        self._fetch_failed(event.error, dataset=event.dataset or "*")

    def _fetch_failed(self, error: Exception, **named: str) -> None:
        if isinstance(error, CatchmentError):
            self._log.error("fetch could not run", reason=error.detail, **named)
        else:
            self._log.error("fetch interrupted", exc_info=error, **named)

    # ------------------------------------------------------------ announcements

    def _announcement_failed(self, event: events.AnnouncementFailed) -> None:
        message = "an announced job could not be handled"
        self._log.error(message, job=event.job, exc_info=event.error)

    def _announcement_dropped(self, event: events.AnnouncementDropped) -> None:
        kept = {"kept_in": event.kept_in} if event.kept_in else {"tries": event.tries}
        if event.job is None:
            self._log.error("an announcement names no job", **kept)
        else:
            self._log.error("an announcement is given up", job=event.job, **kept)

    def _broker_lost(self, event: events.BrokerLost) -> None:
        message = "connection to the broker lost; reconnecting"
        self._log.warning(message, reason=event.reason)

    def _broker_found(self, event: events.BrokerFound) -> None:
        self._log.info("connection to the broker restored")

    # ------------------------------------------------------------ operations

    def _alert_sent(self, event: events.AlertSent) -> None:
        alert = event.alert
        if alert.event is AlertEvent.RAISED:
            self._log.warning("alert sent", detail=alert.detail, **_subject(event))
        else:
            self._log.info("recovery sent", detail=alert.detail, **_subject(event))

    def _alert_failed(self, event: events.AlertFailed) -> None:
        message = "alert could not be sent; it is tried again"
        named = {**_subject(event), **_reason(event.error)}
        self._log.error(message, event_=event.alert.event.value, **named)

    def _watch_failed(self, event: events.WatchFailed) -> None:
        self._log.error("alerts could not be checked", **_reason(event.error))

    def _pruned(self, event: events.Pruned) -> None:
        counted = {kind.value: count for kind, count in event.removed.items() if count}
        if counted:
            self._log.info("pruned", **counted)

    def _prune_failed(self, event: events.PruneFailed) -> None:
        self._log.error("expired rows could not be removed", **_reason(event.error))

    # ------------------------------------------------------------ accounts

    def _admin_role_missing(self, event: events.AdminRoleMissing) -> None:
        self._log.warning(
            "the account that CATCHMENT_ADMIN_USERNAME names is not an admin",
            username=event.username,
        )


def _request(event: events.RequestServed) -> dict[str, Any]:
    return {
        "request_id": event.request_id,
        "method": event.method,
        "path": event.path,
        "status": event.status,
        "duration_ms": round(event.duration_ms, 2),
        **({"job": event.job} if event.job else {}),
    }


def _subject(event: events.AlertSent | events.AlertFailed) -> dict[str, str | None]:
    alert = event.alert
    return {"kind": alert.kind.value, "subject": alert.subject, "source": alert.source}


def _reason(error: Exception) -> dict[str, Any]:
    """Return the sentence of an expected error, or the traceback of any other."""
    return {"reason": error.detail} if isinstance(error, CatchmentError) else {"exc_info": error}
