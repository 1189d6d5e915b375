"""Totals: what all runs of a source have brought so far, whatever has become of their jobs."""

from datetime import datetime

import msgspec

from domain.reports import Counts, Failure, SourceReport, SourceStatus


class SourceTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What one source has given in all of its runs, as their reports say.

    `last_run_at` is when the last job that asked it, or read it anew, ended. `last_error` is why
    that run failed, and None once one has not; `last_success_at` is when it last did not fail.
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
        """The totals once one more run has ended with this report."""
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
