"""Password hashing with argon2id, slow by design, on a few threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from application.ports.accounts import PasswordHasher, Verified
from domain.errors import TooManyWaiting

T = TypeVar("T")

#: OWASP's minimum for argon2id: 19 MiB, two passes, parallelism 1.
_MEMORY_KIB = 19_456
_PASSES = 2
_THREADS = 2
#: The most passwords that may wait for a thread; that is about a second.
MAX_WAITING = 64

_COMMON = Path(__file__).parent / "common_passwords.txt"


class ArgonPasswordHasher(PasswordHasher):
    """A hasher that writes argon2id, and also verifies bcrypt hashes."""

    def __init__(self) -> None:
        argon = Argon2Hasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._hashes = PasswordHash((argon, BcryptHasher()))
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the hash of a password."""
        return await self._slowly(lambda: self._hashes.hash(password))

    async def verify(self, password: str, hashed: str | None) -> Verified:
        """Return whether the password has this hash; None never matches, and takes as long."""
        return await self._slowly(lambda: self._verified(password, hashed))

    def is_common(self, password: str) -> bool:
        """Return whether the password is one of the most common."""
        return password.lower() in self._common

    @cached_property
    def _common(self) -> frozenset[str]:
        return frozenset(_COMMON.read_text(encoding="utf-8").split())

    @cached_property
    def _unusable(self) -> str:
        return self._hashes.hash("a password of no account")

    def _verified(self, password: str, hashed: str | None) -> Verified:
        if hashed is None:
            self._hashes.verify(password, self._unusable)
            return Verified(ok=False)
        try:
            return Verified(*self._hashes.verify_and_update(password, hashed))
        except (UnknownHashError, ValueError):
            # Not a hash, or a password longer than bcrypt takes.
            return Verified(ok=False)

    async def _slowly(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooManyWaiting(f"{MAX_WAITING} passwords already wait to be checked")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
