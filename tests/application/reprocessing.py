"""Bodies with invalid records and sources that read more, for the tests of reprocessing."""

from typing import Any

import msgspec

from adapters.memory.ingest import MemorySource
from application.ingest.fetch import Fetch
from domain.builtin.posts import Post
from tests.application.rig import Rig

GOOD = {"id": 1, "user_id": 1, "title": "t", "body": "b"}


class Forgiving(msgspec.Struct, frozen=True):
    """A post with only its identifier required."""

    id: int
    user_id: int = 0
    title: str = ""
    body: str = ""


def body(*items: Any) -> bytes:
    """Return a body with these items."""
    return msgspec.json.encode(items)


def many(good: int, bad: int, first: int = 1, hopeless: int = 0) -> bytes:
    """Return so many valid records, so many for a lenient reader, and so many unreadable ones."""
    items: list[Any] = [{**GOOD, "id": number} for number in range(first, first + good)]
    items += [{"id": number} for number in range(first + good, first + good + bad)]
    return body(*items, *({"no": number} for number in range(hopeless)))


def strict(rig: Rig, *pages: Any) -> MemorySource[Any]:
    """Return a source as it was before the fix."""
    return rig.source("one", *pages)


def fixed(rig: Rig, *pages: Any, record: type[Any] = Forgiving) -> MemorySource[Any]:
    """Return the same source after the fix."""
    source = rig.source("one", *pages, record=record)
    source.version = "2"
    return source


async def came(rig: Rig, *bodies: bytes, source: str = "one") -> None:
    """Fetch these bodies one after the other with the strict source."""
    asked = rig.source(source)
    for one in bodies:
        asked.pages = [one]
        await fetching(rig, asked)()
        rig.clock.advance(60)


def fetching(rig: Rig, *sources: MemorySource[Any], **changed: Any) -> Fetch[Post]:
    """Return the use case that fetches from these sources."""
    return rig.fetch(*sources, **changed)
