"""Idempotency: a request that comes again with its key has one effect and the same answer.

The header is that of draft-ietf-httpapi-idempotency-key-header. Its value is the key as it is, or
the draft's quoted form of it: `abc` and `"abc"` are one key.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from adapters.http.protocol.access import caller_of
from adapters.http.protocol.links import link_to
from adapters.http.protocol.problems import Refusal, Reply
from application.concurrency import ShieldedTasks
from application.ports.jobs import Idempotency, SavedAnswer
from application.ports.system import Random
from domain.errors import StoreError

LONGEST_KEY = 255

_PLAIN = re.compile(r"[!-~]+")
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])+)"')

#: Answers a request; the job it makes gets this identifier, or any when there is none.
Make = Callable[[str | None], Awaitable[Reply]]


class OnceOnly:
    """Answers requests that have a key once, and after that repeats the answer."""

    def __init__(self, idempotency: Idempotency, random: Random) -> None:
        self._idempotency = idempotency
        self._random = random
        self._answering: ShieldedTasks[Reply] = ShieldedTasks()

    async def __call__(self, scope: Any, text: str | None, make: Make) -> Reply:
        """Return the answer that `make` gives, or has given for this key; KeyInUse or KeyReused."""
        if text is None:
            return await make(None)
        key = key_of(text)
        # Everybody has keys of their own.
        name = caller_of(scope).name
        owned = f"{name} {key}" if name else key
        # Also when the caller leaves: the key must learn what came of the request.
        return await self._answering(self._once(owned, fingerprint_of(scope), make))

    async def _once(self, key: str, request: str, make: Make) -> Reply:
        begun = await self._idempotency.begin(key, request, self._random.identifier())
        if begun.answer is not None:
            kept = begun.answer
            return Reply(kept.status, {**kept.headers, "Idempotent-Replayed": "true"}, kept.body)
        try:
            reply = await make(begun.job_id)
        except (StoreError, asyncio.CancelledError):
            # The job may have been written down all the same: the next request gets the same one.
            await _settled(self._idempotency.release(key))
            raise
        except Exception:
            await _settled(self._idempotency.abandon(key))
            raise
        if reply.status < HTTPStatus.MULTIPLE_CHOICES:
            kept = SavedAnswer(reply.status, reply.headers, reply.body)
            await _settled(self._idempotency.end(key, kept))
        else:
            await _settled(self._idempotency.abandon(key))
        return reply


async def _settled(settling: Awaitable[None]) -> None:
    """Without the store the key is free again later, and its next request finds the job."""
    with suppress(StoreError):
        await settling


def key_of(text: str) -> str:
    """Return the key in the header's text; a Refusal for what is no key, two of them too."""
    key = _unquoted(text)
    if key is None or len(key) > LONGEST_KEY:
        raise Refusal(
            "malformed_request",
            f"there may be one Idempotency-Key, of 1 to {LONGEST_KEY} visible ASCII characters",
        )
    return key


def _unquoted(text: str) -> str | None:
    if text.startswith('"'):
        quoted = _QUOTED.fullmatch(text)
        return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else None
    return text if _PLAIN.fullmatch(text) else None


def fingerprint_of(scope: Any) -> str:
    """What makes a request another one: its method, path and query; a fetch has no body."""
    query = scope["query_string"].decode("latin-1")
    # Its answer has links, which begin with the prefix of those who have asked.
    asked = f"{scope['method']} {link_to(scope['path'])}?{query}"
    return hashlib.blake2b(asked.encode(errors="replace"), digest_size=16).hexdigest()
