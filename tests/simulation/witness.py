"""The witness: sees every call that was done, and says which promise was broken by it."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from adapters.memory.system import SteerableClock
from domain.jobs import MAX_ATTEMPTS, FetchJob
from domain.politeness import PROBE_S, Admission, Breaker, Host
from domain.reports import Counts
from domain.schedules import Schedule

_PROBE = timedelta(seconds=PROBE_S)


class Witness:
    """Knows of every call when it began and, at once, that it has been done."""

    def __init__(self, clock: SteerableClock) -> None:
        self.broken: list[tuple[str, str]] = []
        self.seen: Counter[str] = Counter()
        #: The jobs that belong to each idempotency key.
        self.keys: defaultdict[str, set[str]] = defaultdict(set)
        #: The reports of the jobs that have ended.
        self.reports: dict[str, FetchJob] = {}
        self._clock = clock
        self._fences: defaultdict[str, list[tuple[int, datetime]]] = defaultdict(list)
        self._ticks: set[tuple[str, datetime]] = set()
        self._blocks: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
        self._open_until: dict[str, datetime] = {}
        self._probes: dict[str, datetime] = {}
        self._set_back: list[tuple[datetime, datetime]] = []

    def breaks(self, promise: str, what: str) -> None:
        """Write down that a promise was broken."""
        self.broken.append((promise, what))

    def saw(
        self, port: str, verb: str, about: tuple[Any, Any], result: Any, begun: datetime
    ) -> None:
        """Hear of a call that has just been done."""
        hear = getattr(self, f"_{port}_{verb}", None)
        if hear is not None:
            self.seen[f"{port}.{verb}"] += 1
            hear(about, result, begun)

    # ------------------------------------------------------------ jobs

    def _jobs_claim(self, _: Any, job: FetchJob | None, begun: datetime) -> None:
        if job is None:
            return
        fences = self._fences[job.id]
        if fences and job.fence <= fences[-1][0]:
            self.breaks("P2", f"fence {job.fence} of {job.id} was given twice")
        fences.append((job.fence, self._clock.steady))

    def _jobs_cancel(self, _: Any, job: FetchJob | None, begun: datetime) -> None:
        if job is not None:
            self._fences[job.id].append((job.fence, self._clock.steady))

    def _held(self, job: FetchJob, begun: datetime, what: str) -> None:
        """Whoever writes under a fence holds the job, or has lost it only since the call began."""
        later = [at for fence, at in self._fences[job.id] if fence > job.fence and at < begun]
        if later:
            self.breaks("P2", f"{what} of {job.id} under fence {job.fence}, which was lost")

    def _jobs_release(self, about: Any, _: None, begun: datetime) -> None:
        [job] = about[0]
        self._held(job, begun, "the end")
        if job.report is None or not job.status.is_final:
            return
        if job.id in self.reports:
            self.breaks("P19", f"{job.id} ended twice")
        self.reports[job.id] = job
        for source in job.report.sources:
            if not adds_up(source.counts):
                self.breaks("P13", f"{job.id} does not add up: {source.counts}")

    def _intake_commit(self, about: Any, _: Counts, begun: datetime) -> None:
        self._held(about[1], begun, "a merge")

    def _intake_keep(self, about: Any, _: Any, begun: datetime) -> None:
        job: FetchJob = about[1]
        self._held(job, begun, "a payload")
        if job.attempts > MAX_ATTEMPTS:
            self.breaks("P3", f"{job.id} has asked in attempt {job.attempts}")

    def _schedules_fire(self, about: Any, job: FetchJob | None, begun: datetime) -> None:
        seen: Schedule = about[0][0]
        if job is None:
            return
        # A tick in the time by which the clock was set back comes again.
        if (seen.dataset, seen.tick_at) in self._ticks and not self.comes_again(seen.tick_at):
            self.breaks("P18", f"the tick of {seen.dataset} at {seen.tick_at} was fired twice")
        self._ticks.add((seen.dataset, seen.tick_at))

    def _idempotency_begin(self, about: Any, begun_request: Any, begun: datetime) -> None:
        self.keys[about[0][0]].add(begun_request.job_id)

    # ------------------------------------------------------------ politeness

    def _budget_block(self, about: Any, _: None, begun: datetime) -> None:
        host, until = about[0]
        now = self._clock.steady
        self._blocks[host].append((now, until - self._clock.now() + now))

    def _budget_record_outcome(self, about: Any, _: None, begun: datetime) -> None:
        # Whatever it was, from now on the breaker may be closed.
        if self._probes.pop(about[0][0], None) is not None:
            self._open_until.pop(about[0][0], None)

    def _budget_spend(
        self, about: Any, granted: tuple[Admission, datetime], begun: datetime
    ) -> None:
        host, now = about[0][0], self._clock.steady
        if granted[0] is not Admission.GO:
            return
        for at, until in self._blocks[host]:
            if at < begun and now < until:
                self.breaks("P8", f"{host} was asked at {now}, though it had said {until}")
        opened = self._open_until.get(host)
        if opened is None:
            return
        if now < opened:
            self.breaks("P10", f"{host} was asked at {now}, though its breaker was open")
        probe = self._probes.get(host)
        if probe is not None and now < probe + _PROBE:
            self.breaks("P10", f"{host} was probed twice, at {probe} and {now}")
        self._probes[host] = begun

    def saw_clock_set(self, by: timedelta) -> None:
        """Hear that the clock was set: ahead, waits seem to be over; back, times come again."""
        now = self._clock.now()
        self._set_back.append((now, now - by))
        if by > timedelta(0):
            self.keys.clear()
            self._blocks.clear()
            self._open_until.clear()
            self._probes.clear()

    def comes_again(self, time: datetime) -> bool:
        """Whether the clock has passed this time twice, or will."""
        return any(first < time <= last for first, last in self._set_back)

    def saw_host(self, name: str, host: Host, now_s: float) -> None:
        """Look at what is remembered of a host, which nobody is changing at this moment."""
        state = host.breaker(now_s)
        if state is Breaker.OPEN and host.outcomes == "":
            self._open_until[name] = self._clock.steady + timedelta(
                seconds=host.open_until_s - now_s
            )
            self._probes.pop(name, None)
        elif state is Breaker.CLOSED:
            self._open_until.pop(name, None)
            self._probes.pop(name, None)


def adds_up(counts: Counts) -> bool:
    """Return whether every received record is counted."""
    return counts.received == (
        counts.inserted
        + counts.updated
        + counts.unchanged
        + counts.duplicates
        + counts.quarantined
        + counts.held
    )
