"""Idempotency keys in memory."""

from adapters.memory.database import KnownKey, MemoryDatabase
from application.ports.idempotency import ABANDONED, KEPT, Answer, Begun, Idempotency
from application.ports.system import Clock
from domain.errors import KeyInUse, KeyReused


class MemoryIdempotency(Idempotency):
    """Keeps idempotency keys as long as the process lives, or its memory database."""

    def __init__(self, clock: Clock, database: MemoryDatabase | None = None) -> None:
        self._clock = clock
        self._keys = (database or MemoryDatabase()).keys

    async def begin(self, key: str, request: str, job_id: str) -> Begun:
        """Take a key for a request, or find what it was answered."""
        now = self._clock.now()
        for past in [k for k, known in self._keys.items() if now >= known.begun_at + KEPT]:
            del self._keys[past]
        known = self._keys.get(key)
        if known is None:
            self._keys[key] = KnownKey(request, job_id, now)
            return Begun(job_id)
        if known.request != request:
            raise KeyReused("this Idempotency-Key came with another request before")
        if known.answer is None and known.begun_at + ABANDONED > now:
            raise KeyInUse("the first request with this Idempotency-Key is being answered")
        if known.answer is None:
            known.begun_at = now
        return Begun(known.job_id, known.answer)

    async def end(self, key: str, answer: Answer) -> None:
        """Remember the answer."""
        if key in self._keys:
            self._keys[key].answer = answer

    async def abandon(self, key: str) -> None:
        """Forget a key whose request came to nothing."""
        if key in self._keys and self._keys[key].answer is None:
            del self._keys[key]

    async def release(self, key: str) -> None:
        """Let a request of which nobody knows what came be begun again."""
        if key in self._keys:
            self._keys[key].begun_at -= ABANDONED
