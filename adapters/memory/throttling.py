"""Limits of clients, and guesses at passwords, in memory."""

from adapters.memory.database import MemoryDatabase
from application.ports.system import Clock
from application.ports.throttling import ClientLimits, LoginAttempts
from domain.errors import TooManyRequests
from domain.politeness import Rate
from domain.throttling import Allowance, Attempts, Guess, allowance, spacing_s


class MemoryClientLimits(ClientLimits):
    """Counts what clients ask in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def spend(self, client: str, rate: Rate) -> Allowance:
        """Count one more request, if there is one left."""
        now_s = self._clock.now().timestamp()
        full_at_s = max(self._database.full_at_s.get(client, now_s), now_s)
        following_s = full_at_s + spacing_s(rate)
        if following_s - now_s > rate.window_s + 1e-6:
            return allowance(rate, full_at_s - now_s, allowed=False)
        self._database.full_at_s[client] = following_s
        return allowance(rate, following_s - now_s, allowed=True)


class MemoryLoginAttempts(LoginAttempts):
    """Counts guesses in a memory database."""

    def __init__(self, database: MemoryDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, account: str, place: str) -> None:
        """Count a guess; TooManyRequests when none may be made from there now."""
        now, known = self._clock.now(), self._guess(account, place)
        wait_s = known.wait_s(now)
        if wait_s:
            raise TooManyRequests("too many wrong passwords; wait before the next try", wait_s)
        self._put(account, place, known.tried(now))

    async def succeed(self, account: str, place: str) -> None:
        """The last guess was right."""
        self._put(account, place, self._guess(account, place).succeeded(self._clock.now()))

    def _guess(self, account: str, place: str) -> Guess:
        attempts = self._database.attempts
        here = attempts.get((account, place), Attempts())
        return Guess(here, attempts.get((account, ""), Attempts()))

    def _put(self, account: str, place: str, guess: Guess) -> None:
        self._database.attempts[account, place] = guess.here
        self._database.attempts[account, ""] = guess.strangers
