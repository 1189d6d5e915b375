"""Logs: structured lines on standard error, for people or for machines."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from domain.alerts import Alert, Event
from domain.errors import CatchmentError
from domain.jobs import FetchJob
from domain.reports import Outcome
from domain.retention import RetainedKind

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
        # Tracebacks without the values in them: those may be somebody's secrets.
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


def tell_of_fetch(dataset: str, end: FetchJob | Exception) -> None:
    """Log how a job ended, or that it waits."""
    if isinstance(end, Exception):
        tell_of_error(dataset, end)
        return
    log = structlog.get_logger("catchment.fetch").bind(dataset=dataset, job=end.id)
    report = end.report
    if end.run_at is not None:
        log.info("fetch waits for its source", run_at=end.run_at.isoformat())
    elif report is None:
        log.info("fetch called off", status=end.status.value)
    elif report.outcome is Outcome.FAILED:
        log.warning(
            "fetch failed; what is stored stays, and `catchment demo` needs no upstream",
            reason="; ".join(failure.detail for failure in report.failures),
        )
    else:
        counts = msgspec.structs.asdict(report.counts)
        told = {name: count for name, count in counts.items() if count}
        log.info("fetched" if end.mode.asks else "read again", outcome=report.outcome.value, **told)


def tell_of_error(dataset: str, error: Exception) -> None:
    """Log a fetch that could not run to its end."""
    log = structlog.get_logger("catchment.fetch").bind(dataset=dataset)
    if isinstance(error, CatchmentError):
        log.error("fetch could not run", reason=error.detail)
    else:
        log.error("fetch broke off", exc_info=error)


def tell_of_alert(alert: Alert | None, error: Exception | None) -> None:
    """Log an alert, that it could not be told, or that nothing could be looked at."""
    log = structlog.get_logger("catchment.alerts")
    if isinstance(error, CatchmentError):
        log = log.bind(reason=error.detail)
    elif error is not None:
        log = log.bind(exc_info=error)
    if alert is None:
        log.error("nothing can be watched")
        return
    log = log.bind(kind=alert.kind.value, subject=alert.subject, source=alert.source)
    if error is not None:
        log.error("alert could not be told, and is tried again", event_=alert.event.value)
    elif alert.event is Event.RAISED:
        log.warning("alert told", detail=alert.detail)
    else:
        log.info("recovery told", detail=alert.detail)


def tell_of_pruned(end: Mapping[RetainedKind, int] | Exception) -> None:
    """Log what was removed because it was old, if anything was."""
    log = structlog.get_logger("catchment.prune")
    if isinstance(end, CatchmentError):
        log.error("what is old could not be removed", reason=end.detail)
    elif isinstance(end, Exception):
        log.error("what is old could not be removed", exc_info=end)
    elif any(end.values()):
        log.info("pruned", **{kept.value: count for kept, count in end.items() if count})
