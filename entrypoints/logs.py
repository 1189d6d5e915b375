"""Logs: structured lines on standard error, for people or for machines."""

import logging
import sys
from typing import Any

import msgspec
import structlog

from application.fetch import Fetched
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


def tell_of_fetch(dataset: str, end: Fetched | Exception) -> None:
    """Log how a fetch that nobody waits for ended."""
    log = structlog.get_logger("catchment.fetch")
    if isinstance(end, CatchmentError):
        log.error("fetch could not run", dataset=dataset, reason=end.detail)
        return
    if isinstance(end, Exception):
        log.error("fetch broke off", dataset=dataset, exc_info=end)
        return
    report = end.job.report
    if end.outcome is Outcome.FAILED and report is not None:
        log.warning(
            "fetch failed; what is stored stays, and `catchment demo` needs no upstream",
            dataset=dataset,
            job=end.job.id,
            reason="; ".join(failure.detail for failure in report.failures),
        )
        return
    counts = msgspec.structs.asdict(report.counts) if report else {}
    told = {name: count for name, count in counts.items() if count}
    log.info("fetched", dataset=dataset, outcome=end.outcome.value, job=end.job.id, **told)
