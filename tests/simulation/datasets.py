"""What is fetched in a simulation: three sources of two datasets, on two hosts."""

from typing import Any, NamedTuple

from adapters.outbound.json_list import JsonListSource
from adapters.outbound.jsonplaceholder import JsonPlaceholderSource, PostPayload
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.payloads import Payload
from domain.politeness import Rate
from tests.sharing import SharedPost

#: Two sources feed it: each of its records says whose it is.
JOINT: Dataset[Any] = Dataset(
    name="joint", record=SharedPost, key=("source", "id"), default_sort="id"
)
RATE = Rate(12, 10.0)


class SingleFlight(JsonListSource[PostPayload, SharedPost]):
    """Posts of one of several upstreams."""

    normaliser_version = "shared-1"
    payload = PostPayload

    def record(self, element: PostPayload, payload: Payload) -> SharedPost:
        """Our words for theirs, and who said them."""
        return SharedPost(self.name, element.id, element.title)


class North(SingleFlight):
    """One of them."""

    name = "north"


class South(SingleFlight):
    """The other one."""

    name = "south"


class Fed(NamedTuple):
    """A source, what it feeds, and where it asks."""

    dataset: Dataset[Any]
    source: type[JsonListSource[Any, Any]]
    host: str

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def url(self) -> str:
        """Where it asks."""
        return f"http://{self.host}/{self.name}"


FEEDS = (
    Fed(POSTS, JsonPlaceholderSource, "east.example"),
    Fed(JOINT, North, "east.example"),
    Fed(JOINT, South, "west.example"),
)
