"""The ports of the system: time, randomness and secrets."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.secrets import SecretRef


class Clock(Protocol):
    """The time, and waiting."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""


class Random(Protocol):
    """The source of randomness."""

    @abstractmethod
    def identifier(self) -> str:
        """Return a new unguessable identifier: 32 hexadecimal digits, in order of creation."""

    @abstractmethod
    def fraction(self) -> float:
        """Return a uniform random number from 0 up to, not including, 1."""

    @abstractmethod
    def secret(self) -> str:
        """Return an unguessable text of 43 letters, digits, - and _."""


class Secrets(Protocol):
    """The secrets that references name, and texts without them."""

    @abstractmethod
    def read(self, reference: SecretRef) -> str:
        """Return the secret as it is now; raise SourceRefused if there is none."""

    @abstractmethod
    def note(self, secret: str) -> None:
        """Redact a secret from elsewhere, such as a token, too."""

    @abstractmethod
    def redact(self, text: str) -> str:
        """Return a text without the secrets that were read."""
