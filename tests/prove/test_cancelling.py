"""P16: five thousand callers leave at every moment there is, and the connections stay healthy."""

import asyncio

from tests.adapters.outbound.client_fixture import open_client
from tests.adapters.outbound.polite.test_cancellation import leave
from tests.prove.figures import reported

CANCELS, AT_ONCE, AFTERWARDS = 5000, 50, 20


async def test_five_thousand_who_leave_leave_the_connections_healthy() -> None:
    async with open_client() as fixture:
        for start in range(0, CANCELS, AT_ONCE):
            fixture.upstream.hold()
            await asyncio.gather(*(leave(fixture, (start + n) % 60) for n in range(AT_ONCE)))
            fixture.upstream.release()
            # What was sent is read to its end, whether anybody waits for it or not.
            await fixture.client._running.drain()

        answers = await asyncio.gather(
            *(fixture.answer("/posts") for _ in range(AFTERWARDS)), return_exceptions=True
        )
        healthy = sum(getattr(answer, "status", None) == 200 for answer in answers)

    reported(
        "P16",
        f"healthy:{healthy}/{AFTERWARDS}",
        f"healthy:{AFTERWARDS}/{AFTERWARDS}",
        healthy == AFTERWARDS,
        cancels=CANCELS,
    )
    assert healthy == AFTERWARDS
