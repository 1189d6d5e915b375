"""What the embedded queue does beyond what every queue promises."""

from adapters.memory.jobs import MemoryQueue
from adapters.memory.operations import MemoryEvents
from tests.contract.queues import Listener, job_ids


async def test_only_the_newest_are_kept_while_nobody_listens() -> None:
    queue, listener, ids = MemoryQueue(MemoryEvents(), most_kept=3), Listener(), job_ids(10)
    for job_id in ids:
        await queue.announce(job_id)

    async with queue.listening(listener):
        await listener.until(lambda: len(listener.done) == 3)

    assert listener.done == ids[-3:]


async def test_it_is_called_embedded_and_can_be_closed() -> None:
    queue = MemoryQueue(MemoryEvents())

    await queue.close()

    assert queue.works == "embedded"
