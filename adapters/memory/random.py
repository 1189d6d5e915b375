"""Chance that repeats itself."""

import base64
import hashlib

from application.ports.system import Random


class SeededRandom(Random):
    """The same seed gives the same identifiers and fractions, in the same order."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._drawn = 0

    def identifier(self) -> str:
        """The next identifier: 32 hexadecimal digits, in order of creation."""
        return f"{self._drawn:012x}{self._draw(10).hex()}"

    def fraction(self) -> float:
        """The next number from 0 up to, not including, 1."""
        return (int.from_bytes(self._draw(7)) >> 3) / 2**53

    def secret(self) -> str:
        """The next secret."""
        return base64.urlsafe_b64encode(self._draw(32)).rstrip(b"=").decode()

    def _draw(self, size: int) -> bytes:
        self._drawn += 1
        text = f"{self._seed} {self._drawn}"
        return hashlib.blake2b(text.encode(), digest_size=size).digest()
