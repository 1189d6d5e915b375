"""The example of the README: a fetch and a query, over every port in memory."""

from adapters.memory.in_memory import InMemory
from domain.builtin.posts import POSTS, Post
from domain.events import JobEnded
from domain.paging import PageRequest, Sort
from domain.reports import Outcome


async def test_fetched_records_can_be_queried() -> None:
    memory, post = InMemory(), Post(1, 7, "Hello", "World")
    fetch_posts = memory.fetch_posts(memory.source(Post, [post]))

    fetched = await fetch_posts()
    page = await memory.query_posts()(PageRequest(sort=Sort.parse(POSTS, "-id")))

    assert fetched.outcome is Outcome.CHANGED
    assert page.rows == [POSTS.stored(post, memory.clock.now())]


async def test_a_fetch_that_is_waited_for_is_published_with_its_report() -> None:
    memory = InMemory()

    fetched = await memory.fetch_posts(memory.source(Post, [Post(1, 7, "Hello", "World")]))()

    assert memory.events.of(JobEnded) == [JobEnded(job=fetched.job, waited_for=True)]
