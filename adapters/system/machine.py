"""The machine's clock, and its random numbers."""

import asyncio
import os
import secrets
import time
from datetime import UTC, datetime

from application.ports.system import Clock, Random

#: The number of random hexadecimal digits of an identifier: 76 bits.
_DIGITS = 19
#: The bytes read at once: a system call for each identifier takes longer than all the rest.
_DRAWN_BYTES = _DIGITS * 128
_FLOAT_BITS = 53
_SECRET_BYTES = 32


class SystemClock(Clock):
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await asyncio.sleep(seconds)


class SystemRandom(Random):
    """The random numbers of the operating system.

    An identifier is the time in microseconds and 76 random bits; the times of one process always
    increase, so its identifiers are in order even if the clock is set back.
    """

    def __init__(self) -> None:
        self._last_us = 0
        self._drawn = ""
        self._used = 0

    def identifier(self) -> str:
        """Return a new unguessable identifier: 32 hexadecimal digits, in order of creation."""
        self._last_us = max(time.time_ns() // 1000, self._last_us + 1)
        if self._used == len(self._drawn):
            self._drawn, self._used = os.urandom(_DRAWN_BYTES).hex(), 0
        start, self._used = self._used, self._used + _DIGITS
        return f"{self._last_us:013x}{self._drawn[start : self._used]}"

    def fraction(self) -> float:
        """Return a uniform random number from 0 up to, not including, 1."""
        return secrets.randbits(_FLOAT_BITS) / (1 << _FLOAT_BITS)

    def secret(self) -> str:
        """Return an unguessable text of 43 letters, digits, - and _."""
        return secrets.token_urlsafe(_SECRET_BYTES)
