"""Idempotency: requests repeated with the same key have one effect and the same answer.

The header is that of draft-ietf-httpapi-idempotency-key-header. Its value is the key itself, or the
draft's quoted form of it: `abc` and `"abc"` are the same key.
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
from adapters.http.protocol.rate_limits import network_of
from application.concurrency import ShieldedTasks
from application.ports.jobs import Idempotency, SavedAnswer
from application.ports.system import Random
from domain.errors import StoreError

LONGEST_KEY = 255

_PLAIN = re.compile(r"[!-~]+")
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])+)"')

#: Answers a request; its job gets this identifier, or a random one for None.
Make = Callable[[str | None], Awaitable[Reply]]


class OnceOnly:
    """Requests with a key: carried out once, and answered the same from then on."""

    def __init__(self, idempotency: Idempotency, random: Random) -> None:
        self._idempotency = idempotency
        self._random = random
        self._answering: ShieldedTasks[Reply] = ShieldedTasks()

    async def __call__(self, scope: Any, text: str | None, make: Make) -> Reply:
        """Return the answer of `make`, or the saved one of this key; raise KeyInUse, KeyReused."""
        if text is None:
            return await make(None)
        key = key_of(text)
        # Each client has its own keys; a user keeps them when the network changes.
        name = caller_of(scope).name
        owned = f"{name or network_of(scope)} {key}"
        # Runs on if the caller disconnects, so that the result is saved for the key.
        return await self._answering(self._once(owned, fingerprint_of(scope), make))

    async def _once(self, key: str, request: str, make: Make) -> Reply:
        begun = await self._idempotency.begin(key, request, self._random.identifier())
        if begun.answer is not None:
            saved = begun.answer
            return Reply(saved.status, {**saved.headers, "Idempotent-Replayed": "true"}, saved.body)
        try:
            reply = await make(begun.job_id)
        except (StoreError, asyncio.CancelledError):
            # The job may have been stored all the same: the next request gets the same one.
            await _ignoring_store_errors(self._idempotency.release(key))
            raise
        except Exception:
            await _ignoring_store_errors(self._idempotency.abandon(key))
            raise
        if reply.status < HTTPStatus.MULTIPLE_CHOICES:
            saved = SavedAnswer(reply.status, reply.headers, reply.body)
            await _ignoring_store_errors(self._idempotency.end(key, saved))
        else:
            await _ignoring_store_errors(self._idempotency.abandon(key))
        return reply


async def _ignoring_store_errors(update: Awaitable[None]) -> None:
    """Update a key, if the store can; if not, it expires, and the next request finds the job."""
    with suppress(StoreError):
        await update


def key_of(text: str) -> str:
    """Return the key in the header's text; raise Refusal for an invalid key, or several."""
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
    """Return a hash of what identifies a request: method, path and query (it has no body)."""
    query = scope["query_string"].decode("latin-1")
    # With the prefix of its links, because the answer contains links.
    text = f"{scope['method']} {link_to(scope['path'])}?{query}"
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()
