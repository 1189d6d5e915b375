"""The example of the README: a fetch and a query, built from memory adapters."""

from adapters.memory.database import MemoryDatabase
from adapters.memory.datasets import MemoryStore
from adapters.memory.ingest import MemoryIntakes, MemorySource
from adapters.memory.jobs import MemoryJobHistory, MemoryJobs, MemorySchedules
from adapters.memory.system import SeededRandom, SteerableClock
from adapters.queue.embedded import EmbeddedQueue
from application.ingest.job_backend import JobBackend
from application.posts import FetchPosts, QueryPosts
from domain.builtin.posts import POSTS, Post
from domain.paging import PageRequest, Sort
from domain.reports import Outcome


def desk_of(database: MemoryDatabase, clock: SteerableClock) -> JobBackend:
    """Where jobs are written down in a memory database."""
    jobs, history = MemoryJobs(database, clock), MemoryJobHistory(database, clock)
    return JobBackend(jobs, history, EmbeddedQueue(), MemorySchedules(database, clock))


async def test_what_was_fetched_can_be_queried() -> None:
    database, clock, post = MemoryDatabase(), SteerableClock(), Post(1, 7, "Hello", "World")
    source, store = MemorySource("example", Post, clock, [post]), MemoryStore(database)
    intakes, job_backend = MemoryIntakes(database, clock), desk_of(database, clock)
    fetch_posts = FetchPosts([source], store, intakes, clock, job_backend, SeededRandom())

    fetched = await fetch_posts()
    page = await QueryPosts(store)(PageRequest(sort=Sort.parse(POSTS, "-id")))

    assert fetched.outcome is Outcome.CHANGED
    assert page.rows == [POSTS.stored(post, clock.now())]
