"""Secrets of sources, in variables of the environment and in files."""

import os
from collections.abc import Mapping
from pathlib import Path

from application.ports.system import Secrets
from domain.errors import SourceRefused
from domain.secrets import Redactor, SecretRef

_LARGEST = 64 * 1024


class EnvironmentSecrets(Secrets):
    """Secrets that are read at each use, so that a new one needs no restart."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._redactor = Redactor()

    def read(self, reference: SecretRef) -> str:
        """Return the secret as it is now; raise SourceRefused if there is none."""
        secret = self._environment.get(reference.env, "") if reference.env else _in_file(reference)
        if not secret:
            raise _missing(reference)
        if not secret.isascii() or not secret.isprintable():
            raise SourceRefused(
                f"{reference} holds more than one line of plain characters",
                code="secret_missing",
            )
        self._redactor.note(secret)
        return secret

    def note(self, secret: str) -> None:
        """Redact a secret from elsewhere, such as a token, too."""
        self._redactor.note(secret)

    def redact(self, text: str) -> str:
        """Return a text without the secrets that were read."""
        return self._redactor.redact(text)


def _in_file(reference: SecretRef) -> str:
    try:
        with Path(reference.file).open("rb") as file:
            return file.read(_LARGEST).decode(errors="replace").strip()
    except OSError:
        raise _missing(reference) from None


def _missing(reference: SecretRef) -> SourceRefused:
    return SourceRefused(
        f"the secret is missing: {reference} is empty or cannot be read", code="secret_missing"
    )
