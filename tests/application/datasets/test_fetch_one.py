"""FetchOne: the payload of the fetch is read like any other."""

import threading
from typing import Any

from adapters.memory.ingest import MemorySource
from application.datasets.catalogue import Catalogue
from application.datasets.fetch_one import FetchOne
from domain.builtin.posts import POSTS, Post
from domain.dataset import Role
from domain.payloads import Batch, Payload
from tests.application.rig import Rig, posts, registry_of


class Threaded(MemorySource[Any]):
    """A source that records the threads on which it is read."""

    threads: list[threading.Thread]

    def normalise(self, payload: Payload) -> Batch[Any]:
        """Read the payload, and record the thread."""
        self.threads.append(threading.current_thread())
        return super().normalise(payload)


async def test_a_large_payload_is_read_on_another_thread(rig: Rig) -> None:
    source = Threaded("one", Post, rig.clock, posts(4000))
    source.threads = []
    fetch = rig.fetch(source)
    registry = registry_of(rig.tables, rig.store, fetch)
    fetch_one = FetchOne(Catalogue(registry, rig.quarantine, rig.clock), rig.receipts)

    found = await fetch_one(POSTS.name, Role.ADMIN)

    assert found.record is not None
    assert found.record.id == 4000
    assert len(source.threads) == 2
    assert threading.main_thread() not in source.threads
