"""The scale of a run: sizes and times."""

from typing import NamedTuple


class Scale(NamedTuple):
    """The sizes and times of a run; a `quick` one only shows that everything works."""

    quick: bool
    posts: int
    rounds: int
    seconds: float
    #: The number of the deepest page, of ten records each.
    deep: int
    ingest_rounds: int
    #: dlt merges into SQLite two hundred records a second.
    dlt_again: int
    dlt_posts: int
    starts: int
    jobs_s: float
    probe_s: float
    fetches: int
    huge: int
    growth: tuple[int, ...]
    grown_by: int


FULL = Scale(
    quick=False,
    posts=100_000,
    rounds=5,
    seconds=2,
    deep=10_000,
    ingest_rounds=3,
    dlt_again=5_000,
    dlt_posts=50_000,
    starts=5,
    jobs_s=6,
    probe_s=6,
    fetches=3,
    huge=1_000_000,
    growth=(10_000, 100_000, 1_000_000),
    grown_by=10_000,
)
QUICK = Scale(
    quick=True,
    posts=40_000,
    rounds=1,
    seconds=0.5,
    deep=3_000,
    ingest_rounds=1,
    dlt_again=500,
    dlt_posts=2_000,
    starts=1,
    jobs_s=1,
    probe_s=1,
    fetches=1,
    huge=20_000,
    growth=(1_000, 10_000),
    grown_by=1_000,
)
