"""The sweep: every call of a use case fails once before it is done, and once after.

It is SQLite's method: count the calls C of a clean run, then fail each of them in turn. Afterwards
what must always hold holds, and asking again succeeds.
"""

from abc import abstractmethod
from typing import Any

from application.ingest.job_backend import JobBackend
from domain.errors import CatchmentError, QueueUnavailable, StoreUnavailable
from tests.application.failures import Countdown, Counted, CountedIntakes
from tests.application.rig import Rig


class Case(Rig):
    """One use case over ports of which one call fails."""

    def __init__(self) -> None:
        super().__init__()
        self.countdown = Countdown()

    def counted(self, adapter: Any, error: type[CatchmentError] = StoreUnavailable) -> Any:
        """Return a port whose calls are counted."""
        return Counted(adapter, self.countdown, error)

    def counted_intakes(self) -> Any:
        """Return the intakes, with their calls counted."""
        return CountedIntakes(self.intakes, self.countdown)

    def counted_job_backend(self) -> JobBackend:
        """Return the job backend, with each of its ports counted."""
        return self.with_job_backend(
            jobs=self.counted(self.jobs),
            history=self.counted(self.history),
            schedules=self.counted(self.schedules),
            queue=self.counted(self.queue, QueueUnavailable),
        )

    async def begin(self) -> None:
        """Prepare the use case; none of these calls fails."""

    @abstractmethod
    async def act(self) -> None:
        """Run the use case."""

    async def holds(self) -> None:
        """Assert the invariants, also after an interruption."""

    async def act_again(self) -> None:
        """Repeat the use case, as a caller would after the failure."""
        await self.act()

    @abstractmethod
    async def is_done(self) -> None:
        """Assert that the use case is done."""


async def sweep(kind: type[Case]) -> int:
    """Fail every call of a use case, before and after it is done; return the number of failures."""
    clean = await _begun(kind)
    await clean.act()
    calls = clean.countdown.calls
    await clean.is_done()
    for failing in range(1, calls + 1):
        for after in (False, True):
            await _fail(await _begun(kind, failing, after))
    print(f"sweep={2 * calls} violations=0 of={kind.__name__}")
    return 2 * calls


async def _fail(case: Case) -> None:
    try:
        await case.act()
    except CatchmentError:
        assert case.countdown.failed
        await case.holds()
        await case.act_again()
    assert case.countdown.failed
    await case.holds()
    await case.is_done()


async def _begun(kind: type[Case], failing: int = 0, after: bool = False) -> Case:
    case = kind()
    await case.begin()
    case.countdown.left, case.countdown.after, case.countdown.calls = failing, after, 0
    return case
