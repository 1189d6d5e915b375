"""Ingest in memory: a source, receipts and the quarantine."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Generic

import msgspec

from adapters.memory.database import MemoryDatabase
from application.ports.datasets import Quarantine, Quarantined
from application.ports.ingest import Ask, Receipts, Received, Source
from application.ports.system import Clock
from domain.dataset import R
from domain.errors import SourceError, UnexpectedContent
from domain.payloads import Batch, Payload
from domain.reports import Rejection

_EXCERPT = 200


class MemorySource(Source[R], Generic[R]):
    """Answers with the given pages, each of them records or a body; all of it can be changed.

    `failure` is raised once `fails_after` pages are out, `takes_s` is how long a page takes, and
    `etag` makes a source that was asked with it say that nothing changed, and `fresh_until` until
    when its answers will do. `asked` is every ask.
    """

    def __init__(
        self,
        name: str,
        record: type[R],
        clock: Clock,
        *pages: Sequence[R] | bytes,
    ) -> None:
        self.pages: Sequence[Sequence[R] | bytes] = pages
        self.asked: list[Ask] = []
        self.failure: SourceError | None = None
        self.fails_after = 0
        self.takes_s = 0.0
        self.etag: str | None = None
        self.fresh_until: datetime | None = None
        self.version = "1"
        self._name = name
        self._record = record
        self._clock = clock

    @property
    def name(self) -> str:
        """The source's name, as users read it."""
        return self._name

    @property
    def host(self) -> str:
        """The host that the source's addresses name."""
        return self._name

    @property
    def normaliser_version(self) -> str:
        """Names the version of `normalise`: change `version` to change it."""
        return self.version

    async def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield the pages, or nothing when the checkpoint has the present `etag`."""
        self.asked.append(ask)
        known = ask.checkpoint
        if self.failure is None and self.etag and known is not None and known.etag == self.etag:
            ask.traffic.requests += 1
            ask.traffic.not_modified += 1
            ask.traffic.fresh_until = self.fresh_until
            return
        for number, page in enumerate(self.pages):
            self._fail_after(number)
            await self._clock.sleep(self.takes_s)
            payload = self._payload(number, page)
            ask.traffic.requests += 1
            ask.traffic.fresh_until = self.fresh_until
            ask.traffic.bytes += len(payload.body)
            yield payload
        self._fail_after(len(self.pages))

    def normalise(self, payload: Payload) -> Batch[R]:
        """Read the records of a payload, a JSON list; the same payload gives the same batch."""
        try:
            items = msgspec.json.decode(payload.body, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnexpectedContent(f"{self._name} did not answer with a list: {error}") from error
        records: list[R] = []
        places: list[int] = []
        rejections: list[Rejection] = []
        for place, item in enumerate(items):
            try:
                records.append(msgspec.json.decode(item, type=self._record))
                places.append(place)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                excerpt = bytes(item).decode(errors="replace")[:_EXCERPT]
                rejections.append(Rejection(f"/{place}", str(error), excerpt))
        return Batch(records, rejections, lambda number: f"/{places[number]}")

    def _fail_after(self, pages: int) -> None:
        if self.failure is not None and pages >= min(self.fails_after, len(self.pages)):
            raise self.failure

    def _payload(self, number: int, page: Sequence[R] | bytes) -> Payload:
        return Payload(
            url=f"memory://{self._name}/{number}",
            body=page if isinstance(page, bytes) else msgspec.json.encode(page),
            content_type="application/json",
            received_at=self._clock.now(),
            page=number,
            etag=self.etag,
        )


class MemoryReceipts(Receipts):
    """Finds what jobs have received in a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def last(self, job_id: str) -> Received | None:
        """The last payload that a job has received."""
        found = [
            Received(source, payload)
            for (_, source), payloads in self._database.kept.items()
            for payload in payloads
            if self._database.fetched_by[payload.receipt] == job_id
        ]
        return max(found, key=lambda received: received.payload.receipt, default=None)


class MemoryQuarantine(Quarantine):
    """Shows the rejected records of a memory database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def recent(
        self,
        dataset: str | None,
        limit: int,
        source: str | None = None,
        before: tuple[datetime, int] | None = None,
    ) -> list[Quarantined]:
        """The records rejected last, newest first."""
        found = [
            rejected
            for rejected in self._all()
            if dataset in (None, rejected.dataset)
            and source in (None, rejected.source)
            and (before is None or _place(rejected) < before)
        ]
        return sorted(found, key=_place, reverse=True)[:limit]

    async def get(self, rejection_id: int) -> Quarantined | None:
        """One rejected record, as long as it waits."""
        return next((found for found in self._all() if found.id == rejection_id), None)

    async def count(self, dataset: str) -> int:
        """How many records of the dataset are waiting."""
        return len(self._database.quarantine[dataset])

    def _all(self) -> list[Quarantined]:
        return [one for each in self._database.quarantine.values() for one in each.values()]


def _place(rejected: Quarantined) -> tuple[datetime, int]:
    return rejected.rejected_at, rejected.id
