"""What is fetched in a simulation: three sources of two datasets, on two hosts."""

from typing import Any, NamedTuple

from adapters.outbound.builtin.posts import PostPayload, jsonplaceholder
from adapters.outbound.polite.urls import parse
from domain.builtin.posts import POSTS
from domain.dataset import Dataset
from domain.pages import LinkHeader, Pages
from domain.payloads import Payload
from domain.politeness import Rate
from domain.sources import JsonFormat, RecordMapping, Request, SourceDefinition
from tests.sharing import SharedPost

#: Two sources feed it: each of its records says whose it is.
JOINT: Dataset[Any] = Dataset(
    name="joint", record=SharedPost, key=("source", "id"), default_sort="id"
)
RATE = Rate(12, 10.0)


def shared(name: str, url: str) -> SourceDefinition[SharedPost]:
    """Posts of one of several upstreams, each with who said them."""

    def post(element: PostPayload, payload: Payload) -> SharedPost:
        return SharedPost(name, element.id, element.title)

    return SourceDefinition(
        name=name,
        request=Request(url),
        pages=Pages(paginator=LinkHeader()),
        format=JsonFormat(),
        mapping=RecordMapping(PostPayload, post),
        normaliser_version="shared-1",
    )


class Fed(NamedTuple):
    """A source, and what it feeds."""

    dataset: Dataset[Any]
    source: SourceDefinition[Any]

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def url(self) -> str:
        """Where it asks."""
        return self.source.request.address

    @property
    def host(self) -> str:
        """Whom it asks."""
        return parse(self.url).key


FEEDS = (
    Fed(POSTS, jsonplaceholder("http://east.example/jsonplaceholder")),
    Fed(JOINT, shared("north", "http://east.example/north")),
    Fed(JOINT, shared("south", "http://west.example/south")),
)
