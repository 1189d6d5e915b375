"""The system in memory: a clock that tests control, seeded randomness, and secrets."""

import asyncio
import base64
import hashlib
import heapq
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from application.ports.system import Clock, Random, Secrets
from domain.errors import SourceRefused
from domain.secrets import Redactor, SecretRef

_START = datetime(2026, 1, 1, tzinfo=UTC)
#: After so many turns of the event loop everything in memory waits for the clock.
_TURNS = 100

_Sleeper = tuple[datetime, int, asyncio.Future[None]]


class SteerableClock(Clock):
    """A clock that tests move; sleepers wake when it passes their time.

    `steady` is not changed when the clock is set, and sleepers follow it.
    """

    def __init__(self, now: datetime = _START) -> None:
        self._now = now
        self._set_by = timedelta()
        self._sleepers: list[_Sleeper] = []
        self._parked = 0

    def now(self) -> datetime:
        """Return the time of the clock."""
        return self._now + self._set_by

    @property
    def steady(self) -> datetime:
        """Return the time of the clock as if it had never been set."""
        return self._now

    def set(self, by: timedelta) -> None:
        """Set the clock ahead, or back by a negative duration; no time passes by that."""
        self._set_by += by

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has moved on by so many seconds."""
        until = self._now + timedelta(seconds=seconds)
        if until <= self._now:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        self._parked += 1
        heapq.heappush(self._sleepers, (until, self._parked, woken))
        await woken

    @property
    def wakes_at(self) -> datetime | None:
        """Return when the next sleeper wakes, None without sleepers."""
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, by: float | timedelta) -> None:
        """Move the clock on, by seconds or a duration, and wake the sleepers that are due."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        self._wake()

    async def elapse(self, by: float | timedelta) -> None:
        """Move the clock on in steps: every sleeper wakes at its time and runs until it waits."""
        until = self._now + (by if isinstance(by, timedelta) else timedelta(seconds=by))
        await self.settle()
        while (wakes_at := self.wakes_at) is not None and wakes_at <= until:
            self._now = max(self._now, wakes_at)
            self._wake()
            await self.settle()
        self._now = until

    async def settle(self) -> None:
        """Run all tasks until they wait for the clock."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def _wake(self) -> None:
        while self._sleepers and self._sleepers[0][0] <= self._now:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)


class SeededRandom(Random):
    """Randomness from a seed, which gives the same values in the same order."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._drawn = 0

    def identifier(self) -> str:
        """Return the next identifier: 32 hexadecimal digits, in order of creation."""
        return f"{self._drawn:012x}{self._draw(10).hex()}"

    def fraction(self) -> float:
        """Return the next number from 0 up to, not including, 1."""
        return (int.from_bytes(self._draw(7)) >> 3) / 2**53

    def secret(self) -> str:
        """Return the next secret."""
        return base64.urlsafe_b64encode(self._draw(32)).rstrip(b"=").decode()

    def _draw(self, size: int) -> bytes:
        self._drawn += 1
        text = f"{self._seed} {self._drawn}"
        return hashlib.blake2b(text.encode(), digest_size=size).digest()


class MemorySecrets(Secrets):
    """Secrets by the name of their variable or file."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self.secrets = dict(secrets or {})
        self._redactor = Redactor()

    def read(self, reference: SecretRef) -> str:
        """Return the secret as it is now; raise SourceRefused if there is none."""
        secret = self.secrets.get(reference.env or reference.file, "")
        if not secret:
            raise SourceRefused(f"the secret is missing: {reference}", code="secret_missing")
        self._redactor.note(secret)
        return secret

    def note(self, secret: str) -> None:
        """Redact a secret from elsewhere, such as a token, too."""
        self._redactor.note(secret)

    def redact(self, text: str) -> str:
        """Return a text without the secrets that were read."""
        return self._redactor.redact(text)
