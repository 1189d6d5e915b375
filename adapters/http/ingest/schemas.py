"""The report of a fetch, the same in its answer and on the job's page."""

from datetime import datetime

import msgspec

from adapters.http.protocol.links import link_to
from adapters.http.protocol.problems import Reply, reply, reply_to_failures, seconds_until
from application.ingest.fetch import Fetched
from domain.errors import SourceBlocked
from domain.jobs import FetchJob, JobStatus, Mode
from domain.reports import Counts, Outcome, SourceReport
from domain.times import shown


class FetchAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The report of a fetch, the same in its answer and on the job's page.

    `run_at` is set while the fetch waits for its source, to the end of the wait.
    """

    job_id: str
    dataset: str
    mode: Mode
    status: JobStatus
    outcome: Outcome | None
    counts: Counts
    sources: tuple[SourceReport, ...]
    queued_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    next_allowed_at: datetime | None
    status_url: str
    detail: str | msgspec.UnsetType = msgspec.UNSET


def answer_of(
    job: FetchJob, outcome: Outcome | None, next_allowed_at: datetime | None
) -> FetchAnswer:
    """Return the report of a job; `outcome` is that of the request."""
    report = job.report
    sources = report.sources if report else ()
    detail: str | msgspec.UnsetType = msgspec.UNSET
    if outcome is Outcome.FRESH:
        sources = tuple(_untouched(source) for source in sources)
        detail = (
            f"nothing was asked: the last fetch ran at {shown(job.finished_at)}"
            f" and the next may run at {shown(next_allowed_at)}"
        )
    return FetchAnswer(
        job_id=job.id,
        dataset=job.dataset,
        mode=job.mode,
        status=job.status,
        outcome=outcome,
        counts=report.counts if report else Counts(),
        sources=sources,
        queued_at=job.queued_at,
        run_at=job.run_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        attempts=job.attempts,
        next_allowed_at=next_allowed_at,
        status_url=link_to(f"/fetch/status/{job.id}"),
        detail=detail,
    )


def to_response(fetched: Fetched) -> FetchAnswer:
    """Return the report of a fetch."""
    return answer_of(fetched.job, fetched.outcome, fetched.next_allowed_at)


def retry_after(job: FetchJob, now: datetime) -> dict[str, str]:
    """Return the Retry-After header for an unfinished job."""
    return {"Retry-After": seconds_until(job.run_at or now, now)}


def problem_of(
    fetched: Fetched, report: FetchAnswer, request_id: str, now: datetime, what: str = "fetch"
) -> Reply | None:
    """Return the problem of a fetch that failed or was cancelled, or waits; otherwise None."""
    job = fetched.job
    if fetched.outcome is Outcome.FAILED and job.report is not None:
        return reply_to_failures(job.report.failures, report, request_id, now)
    if job.status is JobStatus.CANCELLED:
        detail = f"the {what} was cancelled before it ended"
        return reply("fetch_cancelled", detail, request_id, report=report)
    if not job.status.is_final:
        # It waits for its source longer than a request may take.
        return reply(
            SourceBlocked.code,
            f"no source accepts requests before {shown(job.run_at)}; the {what} waits until then",
            request_id,
            headers=retry_after(job, now),
            report=report,
        )
    return None


def _untouched(source: SourceReport) -> SourceReport:
    return msgspec.structs.replace(
        source, requests=0, not_modified=0, bytes=0, retries=0, wait_ms=0
    )
