"""P13: among twenty-five kinds of bad records a thousand good ones are kept, and all counted."""

from typing import Any

from domain.builtin.posts import POSTS
from domain.fields import INT64_MAX
from domain.filters import Filter
from entrypoints.sample_upstream import SampleUpstream
from entrypoints.wiring.container import Container
from tests.prove.figures import reported

GOOD = 1000

#: What is wrong with each bad record, as the change of a good one.
BAD: tuple[Any, ...] = (
    *({"id": value} for value in (None, "one", 1.5, True, [], {}, INT64_MAX + 1, -INT64_MAX - 2)),
    *({"userId": value} for value in (None, "x", 2.5, False, [1], {"a": 1}, 10**30)),
    *({"title": value} for value in (None, 7, True, [], {}, "a\0b")),
    *({"body": value} for value in (None, 1.0, ["text"], "\0")),
)


async def test_a_thousand_good_records_outlive_twenty_five_kinds_of_bad_ones(
    container: Container, upstream: SampleUpstream
) -> None:
    records = list(upstream.collection(GOOD).records)
    for number, change in enumerate(BAD):
        bad = {**records[number], "id": 10_000 + number, **change}
        records.insert(number * 40, bad)
    upstream.set_posts(records)

    fetched = await container.fetch_posts()()

    assert fetched.job.report is not None
    counts = fetched.job.report.counts
    stored = await container.store().count(POSTS, Filter())
    waiting = await container.quarantine().recent(POSTS.name, 100)
    accounted = counts.inserted + counts.unchanged + counts.quarantined
    reported(
        "P13",
        f"stored:{stored},quarantined:{len(waiting)},unaccounted:{counts.received - accounted}",
        f"stored:{GOOD},quarantined:{len(BAD)},unaccounted:0",
        (stored, len(waiting), counts.received) == (GOOD, len(BAD), accounted),
    )
    assert len(BAD) == 25
    assert (stored, len(waiting)) == (GOOD, len(BAD))
    assert counts.received == accounted == GOOD + len(BAD)
