"""The store against a plain dictionary, through any order of steps of several workers."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from application.ports.ingest import Intake
from domain.checkpoints import Checkpoint
from domain.dataset import Key
from domain.errors import LeaseLost
from domain.filters import Filter
from domain.jobs import LEASE, FetchJob
from domain.payloads import Payload
from domain.reports import Counts, Rejection
from tests.contract.backends import Open
from tests.contract.machines import Machine, hold_to
from tests.strategies import SAMPLES, sample

records = st.builds(
    sample,
    number=st.integers(1, 4),
    title=st.sampled_from(["x", "y"]),
    rating=st.sampled_from([None, 1.0]),
)


#: Each intake has a connection of its own, of which a server has only so many for us.
MOST_OPEN = 6


@dataclass(frozen=True)
class Stored:
    """The model of one row."""

    record: Any
    receipt: int
    changed_at: datetime


@dataclass
class Opened:
    """The model of one open intake."""

    job: FetchJob
    source: str
    intake: Intake[Any]
    context: AbstractAsyncContextManager[Intake[Any]]
    payloads: list[Payload] = field(default_factory=list)
    added: dict[Key, tuple[Any, int]] = field(default_factory=dict)
    received: int = 0


class StoreMachine(Machine):
    """Intakes open, wait, commit, lose their lease and are left, in any order."""

    intakes: Bundle[Opened] = Bundle("intakes")

    def __init__(self, open_backend: Open, runner: asyncio.Runner) -> None:
        super().__init__(open_backend, runner)
        self.opened: list[Opened] = []
        self.rows: dict[Key, Stored] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.rejected: set[tuple[str, Rejection]] = set()
        self.seq = 0

    @initialize()
    def start(self) -> None:
        self.job = self.run(self.backend.claimed())

    # -------------------------------------------------------- jobs and time

    @rule(seconds=st.sampled_from([0.5, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.backend.clock.advance(seconds)

    @rule()
    def job_ends_and_another_begins(self) -> None:
        self.run(self.backend.end(self.job))
        self.job = self.run(self.backend.claimed())

    @rule()
    def job_is_taken_over(self) -> None:
        self.backend.clock.advance(LEASE)
        self.job = self.run(self.backend.jobs.claim(self.job.id))

    # -------------------------------------------------------- intakes

    @precondition(lambda self: len(self.opened) < MOST_OPEN)
    @rule(target=intakes, source=st.sampled_from(["one", "two"]))
    def intake_opens(self, source: str) -> Opened:
        context = self.backend.intakes.open(SAMPLES, source, self.job)
        opened = Opened(self.job, source, self.run(context.__aenter__()), context)
        self.opened.append(opened)
        return opened

    @rule(opened=intakes, body=st.sampled_from([b"1", b"2"]))
    def payload_is_kept(self, opened: Opened, body: bytes) -> None:
        keeping = opened.intake.keep(self.backend.payload(body))
        if self.holds(opened):
            opened.payloads.append(self.run(keeping))
        else:
            with pytest.raises(LeaseLost):
                self.run(keeping)

    @rule(opened=intakes, some=st.lists(records, max_size=4))
    def records_are_added(self, opened: Opened, some: list[Any]) -> None:
        if not opened.payloads:
            return
        payload = opened.payloads[-1]
        self.run(opened.intake.add(some, payload))
        opened.received += len(some)
        opened.added |= {SAMPLES.key_of(record): (record, payload.receipt) for record in some}

    @rule(opened=intakes, pointer=st.sampled_from(["/1", "/2"]))
    def record_is_rejected(self, opened: Opened, pointer: str) -> None:
        if not opened.payloads:
            return
        rejection = Rejection(pointer, "is bad")
        rejecting = opened.intake.reject([rejection], opened.payloads[-1])
        if self.holds(opened):
            self.run(rejecting)
            self.rejected.add((opened.source, rejection))
        else:
            with pytest.raises(LeaseLost):
                self.run(rejecting)

    @rule(opened=consumes(intakes))
    def intake_is_left(self, opened: Opened) -> None:
        self.leave(opened)

    @rule(opened=consumes(intakes))
    def intake_commits(self, opened: Opened) -> None:
        checkpoint = self.backend.checkpoint(opened.job, opened.source)
        if self.holds(opened):
            counts = self.run(opened.intake.commit(checkpoint))
            assert counts == self.expect(opened)
            self.checkpoints[opened.source] = msgspec.structs.replace(checkpoint, counts=counts)
        else:
            with pytest.raises(LeaseLost):
                self.run(opened.intake.commit(checkpoint))
        self.leave(opened)

    def leave(self, opened: Opened) -> None:
        """Close an intake."""
        self.run(opened.context.__aexit__(None, None, None))
        self.opened = [other for other in self.opened if other is not opened]

    def holds(self, opened: Opened) -> bool:
        """Return whether the worker that opened an intake still holds its job."""
        return (opened.job.id, opened.job.fence) == (self.job.id, self.job.fence)

    def expect(self, opened: Opened) -> Counts:
        """Merge into the model."""
        inserted = updated = 0
        for key, (record, receipt) in opened.added.items():
            known = self.rows.get(key)
            if known is None:
                inserted += 1
            elif known.receipt <= receipt and known.record != record:
                updated += 1
            else:
                continue
            self.rows[key] = Stored(record, receipt, self.backend.clock.now())
        self.seq += 1 if inserted or updated else 0
        return Counts(
            received=opened.received,
            inserted=inserted,
            updated=updated,
            unchanged=len(opened.added) - inserted - updated,
            duplicates=opened.received - len(opened.added),
        )

    # -------------------------------------------------------- what always holds

    @invariant()
    def rows_are_those_of_the_model(self) -> None:
        expected = [
            SAMPLES.stored(stored.record, stored.changed_at)
            for _, stored in sorted(self.rows.items())
        ]
        assert self.run(self.backend.everything()) == expected
        assert self.run(self.backend.store.count(SAMPLES, Filter())) == len(expected)

    @invariant()
    def freshness_is_that_of_the_model(self) -> None:
        freshness = self.run(self.backend.store.freshness(SAMPLES))
        assert freshness.seq == self.seq
        assert {c.source: c for c in freshness.checkpoints} == self.checkpoints

    @invariant()
    def quarantine_is_that_of_the_model(self) -> None:
        recent = self.run(self.backend.quarantine.recent(SAMPLES.name, 100))
        assert sorted((w.source, w.pointer) for w in recent) == sorted(
            (source, rejection.pointer) for source, rejection in self.rejected
        )

    def teardown(self) -> None:
        for opened in self.opened:
            self.leave(opened)
        super().teardown()


def test_the_store_agrees_with_a_dictionary_whatever_happens(open_backend: Open) -> None:
    hold_to(StoreMachine, open_backend)
