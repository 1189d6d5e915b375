"""What the tests of reading again share: bodies with bad records, and sources that read better."""

from typing import Any

import msgspec

from adapters.memory.ingest import MemorySource
from application.ingest.fetch import Fetch
from domain.builtin.posts import Post
from tests.application.rig import Rig

GOOD = {"id": 1, "user_id": 1, "title": "t", "body": "b"}


class Forgiving(msgspec.Struct, frozen=True):
    """A post of which only the number must be known."""

    id: int
    user_id: int = 0
    title: str = ""
    body: str = ""


def body(*items: Any) -> bytes:
    """A body with these items."""
    return msgspec.json.encode(items)


def many(good: int, bad: int, first: int = 1, hopeless: int = 0) -> bytes:
    """So many good records, so many a forgiving reader can read, and so many that nobody can."""
    items: list[Any] = [{**GOOD, "id": number} for number in range(first, first + good)]
    items += [{"id": number} for number in range(first + good, first + good + bad)]
    return body(*items, *({"no": number} for number in range(hopeless)))


def strict(rig: Rig, *pages: Any) -> MemorySource[Any]:
    """A source as it was before the fix."""
    return rig.source("one", *pages)


def fixed(rig: Rig, *pages: Any, record: type[Any] = Forgiving) -> MemorySource[Any]:
    """The same source once it reads more."""
    source = rig.source("one", *pages, record=record)
    source.version = "2"
    return source


async def came(rig: Rig, *bodies: bytes, source: str = "one") -> None:
    """Fetch these bodies one after the other with the strict reader."""
    asked = rig.source(source)
    for one in bodies:
        asked.pages = [one]
        await fetching(rig, asked)()
        rig.clock.advance(60)


def fetching(rig: Rig, *sources: MemorySource[Any], **changed: Any) -> Fetch[Post]:
    """The use case that fetches from these sources."""
    return rig.fetch(*sources, **changed)
