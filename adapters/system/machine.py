"""The machine's clock, and its source of chance."""

import asyncio
import os
import secrets
import time
from datetime import UTC, datetime

from application.ports.system import Clock, Random

#: So many hexadecimal digits of an identifier are chance: 76 bits.
_DIGITS = 19
#: So much is drawn at once: asking the system each time takes longer than all the rest.
_DRAWN_BYTES = _DIGITS * 128
_FLOAT_BITS = 53
_SECRET_BYTES = 32


class SystemClock(Clock):
    """Tells the machine's time."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""
        await asyncio.sleep(seconds)


class SystemRandom(Random):
    """Draws from the operating system.

    An identifier is the time in microseconds and 76 random bits; two of one process never share
    their time, so that they are in order even when made at once or when the clock is set back.
    """

    def __init__(self) -> None:
        self._last_us = 0
        self._drawn = ""
        self._used = 0

    def identifier(self) -> str:
        """A new identifier nobody can guess: 32 hexadecimal digits, in order of creation."""
        self._last_us = max(time.time_ns() // 1000, self._last_us + 1)
        if self._used == len(self._drawn):
            self._drawn, self._used = os.urandom(_DRAWN_BYTES).hex(), 0
        start, self._used = self._used, self._used + _DIGITS
        return f"{self._last_us:013x}{self._drawn[start : self._used]}"

    def fraction(self) -> float:
        """A number drawn evenly from 0 up to, not including, 1."""
        return secrets.randbits(_FLOAT_BITS) / (1 << _FLOAT_BITS)

    def secret(self) -> str:
        """A text nobody can guess, of 43 letters, digits, - and _."""
        return secrets.token_urlsafe(_SECRET_BYTES)
