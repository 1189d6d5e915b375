"""Totals: the sums of all runs of a source, also of jobs that have been removed."""

from datetime import datetime

import msgspec

from domain.reports import Counts, Failure, SourceReport, SourceStatus


class SourceTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of the reports of all runs of one source.

    `last_run_at` is the end of the last job that fetched or reprocessed it. `last_error` is why
    that run failed, None if it did not; `last_success_at` is the end of the last run that did not.
    """

    dataset: str
    source: str
    runs: int = 0
    last_run_at: datetime | None = None
    last_status: SourceStatus | None = None
    last_success_at: datetime | None = None
    last_error: Failure | None = None
    counts: Counts = Counts()

    def after(self, report: SourceReport, ended_at: datetime) -> "SourceTotals":
        """Return the totals with one more run."""
        failed = report.status is SourceStatus.FAILED
        return SourceTotals(
            dataset=self.dataset,
            source=self.source,
            runs=self.runs + 1,
            last_run_at=ended_at,
            last_status=report.status,
            last_success_at=self.last_success_at if failed else ended_at,
            last_error=report.error,
            counts=self.counts + report.counts,
        )
