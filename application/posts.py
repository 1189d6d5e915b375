"""The use cases of posts."""

from collections.abc import Sequence
from datetime import timedelta

from application.datasets.query import Query
from application.ingest.fetch import Fetch
from application.ingest.job_backend import JobBackend
from application.ports.datasets import Store
from application.ports.ingest import Intakes, Source
from application.ports.system import Clock, Random
from domain.builtin.posts import POSTS, Post
from domain.politeness import Cadence


class FetchPosts(Fetch[Post]):
    """The use case that fetches the posts from all of their sources."""

    def __init__(
        self,
        sources: Sequence[Source[Post]],
        store: Store,
        intakes: Intakes,
        clock: Clock,
        job_backend: JobBackend,
        random: Random,
        cadence: Cadence = Cadence(),  # noqa: B008 - a frozen value
        deadline: timedelta = timedelta(seconds=60),
    ) -> None:
        super().__init__(
            POSTS, sources, store, intakes, clock, job_backend, random, cadence, deadline
        )


class QueryPosts(Query[Post]):
    """The use case that reads the posts."""

    def __init__(self, store: Store) -> None:
        super().__init__(POSTS, store)
