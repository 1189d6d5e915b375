"""Walks by cursor during inserts and deletes: a record that stays is seen once."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, rule

from domain.filters import Filter
from domain.paging import PageRequest, Sort
from tests.contract.backends import Open
from tests.contract.machines import Machine, hold_to
from tests.strategies import SAMPLES, sample

SORTS = ("", "-number", "rating", "-rating", "title,-rating", "-price,title", "note", "-note,price")
values = st.fixed_dictionaries(
    {
        "title": st.sampled_from(["x", "y"]),
        "rating": st.sampled_from([None, 1.0, 2.0]),
        "price": st.sampled_from([0.0, 1.0]),
        "note": st.sampled_from([None, "n"]),
    }
)


@dataclass(eq=False)
class Walk:
    """One reader's walk through the pages of a query."""

    request: PageRequest
    stayed: set[int]
    rows: list[Any] = field(default_factory=list)
    over: bool = False


class CursorMachine(Machine):
    """Readers walk, and records are added and removed; none changes its position."""

    walks: Bundle[Walk] = Bundle("walks")

    def __init__(self, open_backend: Open, runner: asyncio.Runner) -> None:
        super().__init__(open_backend, runner)
        self.records: dict[int, Any] = {}
        self.walking: list[Walk] = []
        self.last = 0

    @initialize(some=st.lists(values, min_size=3, max_size=6))
    def start(self, some: list[dict[str, Any]]) -> None:
        self.records_come(some)

    @rule(some=st.lists(values, min_size=1, max_size=3))
    def records_come(self, some: list[dict[str, Any]]) -> None:
        added = {self.last + place: one for place, one in enumerate(some, 1)}
        self.last += len(some)
        records = {number: sample(number, **one) for number, one in added.items()}
        self.run(self.backend.bring(list(records.values())))
        self.records |= records

    @rule(choice=st.integers(0, 100))
    def a_record_goes(self, choice: int) -> None:
        if not self.records:
            return
        number = sorted(self.records)[choice % len(self.records)]
        self.run(self.backend.forget(SAMPLES, [SAMPLES.key_of(self.records.pop(number))]))
        for walk in self.walking:
            walk.stayed.discard(number)

    @rule(
        target=walks,
        sort=st.sampled_from(SORTS),
        limit=st.integers(1, 3),
        asked=st.sampled_from([[], [("rating__gte", "1")], [("title", "x")]]),
    )
    def begin_walk(self, sort: str, limit: int, asked: Any) -> Walk:
        filter = Filter.parse(SAMPLES.fields, asked)
        request = PageRequest(filter=filter, sort=Sort.parse(SAMPLES, sort), limit=limit)
        walk = Walk(request, {n for n, record in self.records.items() if filter.matches(record)})
        self.walking.append(walk)
        return walk

    @rule(walk=walks)
    def take_step(self, walk: Walk) -> None:
        if walk.over:
            return
        page = self.run(self.backend.store.find(SAMPLES, walk.request))
        walk.rows += page.rows
        walk.over = page.next_cursor is None
        walk.request = msgspec.structs.replace(walk.request, cursor=page.next_cursor)
        self.check(walk)

    def check(self, walk: Walk) -> None:
        """Assert that records come once and in order; at the end all that stayed were seen."""
        numbers = [row.number for row in walk.rows]
        assert len(numbers) == len(set(numbers))
        assert walk.request.sort.sorted(walk.rows) == walk.rows
        assert all(walk.request.filter.matches(row) for row in walk.rows)
        if walk.over:
            assert walk.stayed <= set(numbers)

    def teardown(self) -> None:
        for walk in self.walking:
            while not walk.over:
                self.take_step(walk)
        super().teardown()


def test_a_walk_skips_nothing_and_repeats_nothing_while_records_come_and_go(
    open_backend: Open,
) -> None:
    hold_to(CursorMachine, open_backend, steps=25)
