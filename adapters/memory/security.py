"""Passwords and tokens in memory: quick, and secret to nobody."""

import base64
import hashlib

import msgspec

from application.ports.security import PasswordHasher, Tokens, Verified
from application.ports.system import Clock
from domain.errors import InvalidToken
from domain.sessions import Claims


class MemoryPasswordHasher(PasswordHasher):
    """Hashes at once, and counts how often it was asked; hashes of `old` make are renewed."""

    def __init__(self) -> None:
        self.checks = 0

    async def hash(self, password: str) -> str:
        """A hash to keep in place of the password."""
        return f"new {_digest(password)}"

    async def verify(self, password: str, hashed: str | None) -> Verified:
        """Whether the hash is that of the password."""
        self.checks += 1
        make, _, digest = (hashed or "").partition(" ")
        if digest != _digest(password):
            return Verified(ok=False)
        return Verified(ok=True, renewed=await self.hash(password) if make == "old" else None)

    def is_common(self, password: str) -> bool:
        """Whether the password is among those that are guessed first."""
        return password.lower() == "password"


class MemoryTokens(Tokens):
    """Writes claims down as they are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def issue(self, claims: Claims) -> str:
        """An access token that says this."""
        return base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode()

    def read(self, token: str) -> Claims:
        """What an access token says."""
        try:
            claims = msgspec.json.decode(base64.urlsafe_b64decode(token), type=Claims)
        except (ValueError, msgspec.DecodeError) as error:
            raise InvalidToken("this is not one of our tokens") from error
        if claims.expires_at <= self._clock.now():
            raise InvalidToken("this token has run out")
        return claims

    def successor(self, token: str) -> str:
        """The one refresh token that follows this one."""
        return _digest(token)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
