"""The key that signs cursors and tokens: a setting, or generated next to the database."""

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from entrypoints.config.settings import PREFIX, InvalidSetting, Settings

_SECRET_BYTES = 32


def secret_of(settings: Settings) -> bytes:
    """Return the configured key, or the key stored next to the database."""
    if settings.secret_key:
        return settings.secret_key
    if settings.database_file is None:
        raise InvalidSetting(f"{PREFIX}SECRET_KEY is empty, and PostgreSQL requires one")
    path = settings.database_file.with_name("secret.key")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_hex(_SECRET_BYTES).encode())
        key = path.read_bytes()
    except OSError as error:
        raise InvalidSetting(f"{path} cannot be used ({error.strerror})") from error
    if len(key) < _SECRET_BYTES:
        raise InvalidSetting(f"{path} is damaged; remove it, and a new one is generated")
    return key


def key_id_of(settings: Settings) -> str:
    """Return an identifier of the key, which does not reveal it."""
    return hashlib.blake2b(
        secret_of(settings), digest_size=16, person=b"catchment-key-id"
    ).hexdigest()


def _write_once(path: Path, content: bytes) -> None:
    """Write a file atomically, readable by its owner alone, unless it exists."""
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)
