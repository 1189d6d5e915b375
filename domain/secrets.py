"""Secrets of sources: references to them, and how a request is signed with what they hold."""

import base64
from urllib.parse import quote, quote_plus

import msgspec

#: Shorter values are words of every text.
_LEAST_REDACTED = 8
REDACTED = "[secret]"


class SecretRef(msgspec.Struct, frozen=True):
    """Where a secret is: a variable of the environment, or a file."""

    env: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"the variable {self.env}" if self.env else f"the file {self.file}"


class HeaderAuth(msgspec.Struct, frozen=True):
    """A header with a secret, behind a prefix such as `Bearer `."""

    name: str
    value: SecretRef
    prefix: str = ""


class BasicAuth(msgspec.Struct, frozen=True):
    """A name and a password; a missing password is empty."""

    user: str
    password: SecretRef | None = None


class QueryAuth(msgspec.Struct, frozen=True):
    """A parameter with a secret."""

    name: str
    value: SecretRef


class ClientCredentials(msgspec.Struct, frozen=True):
    """OAuth2: a token that the endpoint at `url` gives for an identifier and a secret."""

    url: str
    client_id: str
    client_secret: SecretRef
    scope: str = ""


Auth = HeaderAuth | BasicAuth | QueryAuth | ClientCredentials


def spellings(secret: str) -> list[str]:
    """Return how a secret may be spelled in a text: as it is, percent-encoded, in base64."""
    if len(secret) < _LEAST_REDACTED:
        return []
    raw = secret.encode(errors="replace")
    encoded = [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    found = [secret, quote(secret, safe=""), quote_plus(secret), *(e.rstrip("=") for e in encoded)]
    # The longest first, so that nothing of it is left beside a shorter one.
    return sorted(set(found), key=len, reverse=True)


class Redactor:
    """Takes the secrets it knows out of texts, however they are spelled there."""

    def __init__(self) -> None:
        self._known: dict[str, list[str]] = {}

    def note(self, secret: str) -> None:
        """Redact this secret, too, from now on."""
        if secret not in self._known:
            self._known = {**self._known, secret: spellings(secret)}

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        for spelled in self._known.values():
            for each in spelled:
                if each in text:
                    text = text.replace(each, REDACTED)
        return text
