"""What readers see while everything goes on: each look is checked against the one before."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapters.memory.system import SteerableClock
from application.ports.jobs import JobFilter
from domain.builtin.posts import POSTS
from domain.checkpoints import Freshness
from domain.dataset import Dataset
from domain.jobs import FetchJob
from domain.paging import Page, PageRequest, Sort
from tests.contract.backends import Backend
from tests.simulation.datasets import FEEDS, JOINT
from tests.simulation.upstream import Feed
from tests.simulation.witness import Witness

_DATASETS: tuple[Dataset[Any], ...] = (POSTS, JOINT)
_MOST = 100_000

#: So many jobs are looked at, the newest ones.
_NEWEST = 40


class Lookout:
    """Looks at everything a reader can see, and tells the witness what should not be seen."""

    def __init__(self, witness: Witness, feeds: Mapping[str, Feed], clock: SteerableClock) -> None:
        self.looks = 0
        self.jobs: dict[str, FetchJob] = {}
        self._witness = witness
        self._feeds = feeds
        self._clock = clock
        self._pages: dict[str, Page[Any]] = {}

    async def look(self, backend: Backend) -> None:
        """Look once, past all misfortunes of the processes."""
        self.looks += 1
        for dataset in _DATASETS:
            request = PageRequest(sort=Sort.parse(dataset, ""), limit=_MOST)
            self._look_at_page(dataset, await backend.store.find(dataset, request))
        await self._look_at_jobs(backend)
        for host in {feed.host for feed in FEEDS}:
            state = await backend.budget.state(host)
            self._witness.saw_host(host, state, self._clock.now().timestamp())

    # ------------------------------------------------------------ records

    def _look_at_page(self, dataset: Dataset[Any], page: Page[Any]) -> None:
        before = self._pages.get(dataset.name)
        self._pages[dataset.name] = page
        if before is not None:
            self._compare(dataset, before, page)
        for feed in FEEDS:
            if feed.dataset is dataset:
                rows = [row for row in page.rows if getattr(row, "source", feed.name) == feed.name]
                self._look_at_source(feed.name, self._feeds[feed.url], rows, page.freshness)

    def _compare(self, dataset: Dataset[Any], before: Page[Any], page: Page[Any]) -> None:
        was, now = before.freshness, page.freshness
        if now.seq < was.seq or (now.seq == was.seq and before.rows != page.rows):
            self._broken("P5", f"{dataset.name} changed at sequence number {was.seq} to {now.seq}")
        kept = {dataset.key_of(row): _generation(row) for row in page.rows}
        for row in before.rows:
            if kept.get(dataset.key_of(row), 0) < _generation(row):
                self._broken("P4", f"{dataset.name} has lost {dataset.key_of(row)}")
        for old in was.checkpoints:
            new = now.of(old.source)
            if new is None or (
                new.fetched_at < old.fetched_at and not self._witness.comes_again(old.fetched_at)
            ):
                self._broken("P6", f"the checkpoint of {old.source} went back")

    def _look_at_source(
        self, source: str, feed: Feed, rows: Sequence[Any], freshness: Freshness
    ) -> None:
        checkpoint = freshness.of(source)
        newest = max(map(_generation, rows), default=0)
        if checkpoint is None:
            if rows:
                self._broken("P6", f"{source} has records, and no checkpoint")
            return
        spoken_of = feed.by_digest(checkpoint.digest)
        expected = spoken_of.number if spoken_of.good else 0
        if newest > spoken_of.number or newest < expected:
            self._broken("P6", f"{source} is at g{newest}, its checkpoint at g{spoken_of.number}")
        self._check_whole(source, feed, rows, newest)

    def _check_whole(self, source: str, feed: Feed, rows: Sequence[Any], newest: int) -> None:
        if not newest:
            return
        whole = feed.generations[newest - 1].good
        stored = {row.id: _generation(row) for row in rows}
        if any(stored.get(number) != newest for number in whole):
            self._broken("P4", f"of g{newest} of {source} not all is there")
        if any(at == newest for number, at in stored.items() if number not in whole):
            self._broken("P4", f"{source} has records g{newest} never had")

    # ------------------------------------------------------------ jobs

    async def _look_at_jobs(self, backend: Backend) -> None:
        wanted = JobFilter(tuple(dataset.name for dataset in _DATASETS))
        found = await backend.history.recent(wanted, _NEWEST)
        for job in found:
            self._saw_job(self.jobs.get(job.id), job)
        names = [job.dataset for job in found if not job.status.is_final]
        if len(names) > len(set(names)):
            self._broken("P11", f"unfinished at once: {names}")

    def _saw_job(self, before: FetchJob | None, job: FetchJob) -> None:
        self.jobs[job.id] = job
        if before is None or before == job:
            return
        younger = _age(before) > _age(job) and not self._witness.comes_again(_age(before))
        went_back = before.fence > job.fence or younger
        if went_back or (before.status.is_final and not self._is_bounded(before, job)):
            self._broken("P19", f"{job.id} went from {before.status} to {job.status}")

    def _is_bounded(self, before: FetchJob, job: FetchJob) -> bool:
        """Whether all that has changed is an end that lay ahead."""
        same = msgspec.structs.replace(before, finished_at=job.finished_at) == job
        return (
            same
            and before.finished_at is not None
            and self._witness.comes_again(before.finished_at)
        )

    def _broken(self, promise: str, what: str) -> None:
        self._witness.breaks(promise, what)


def _generation(row: Any) -> int:
    """Which generation of its upstream a record is of."""
    return int(row.title.removeprefix("g"))


def _age(job: FetchJob) -> datetime:
    return job.finished_at or job.started_at or job.queued_at
