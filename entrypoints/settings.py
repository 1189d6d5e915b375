"""Settings: read once from the environment and `.env`; a bad value stops the start."""

import contextlib
import difflib
import os
import secrets
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values

from domain.politeness import Rate
from entrypoints.setting_table import SETTINGS
from entrypoints.units import PerDataset

PREFIX = "CATCHMENT_"
_SECRET_BYTES = 32


class InvalidSetting(Exception):
    """A setting that cannot be used, in one line fit for the person who wrote it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the program can be told."""

    database_path: Path
    host: str
    port: int
    secret_key: bytes
    min_fetch_interval: PerDataset[timedelta]
    fetch_every: PerDataset[timedelta | None]
    stale_after: PerDataset[timedelta | None]
    fetch_deadline: timedelta
    fetch_on_start: bool
    default_dataset: str
    posts_url: str
    rate_limits: dict[str, Rate]
    allowed_private_hosts: frozenset[str]
    max_body: tuple[int, int]
    cache_max_age: timedelta
    log_level: str
    log_format: str


def environment(file: Path = Path(".env")) -> dict[str, str]:
    """The settings of `.env`, and over them those of the environment."""
    written = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return {**{name: value or "" for name, value in written.items()}, **os.environ}


def load(given: Mapping[str, str]) -> Settings:
    """Read the settings; InvalidSetting names the first one that cannot be used."""
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        text = given.get(PREFIX + name)
        if text is None and name == "DATABASE_URL":
            text = given.get(name)
        if text is None:
            text = setting.default
        try:
            values[setting.field] = setting.read(text)
        except ValueError as error:
            secret = name == "SECRET_KEY" or "@" in text
            shown = "" if secret else f" is {text[:100]!r}"
            raise InvalidSetting(f"{PREFIX}{name}{shown}: {error}") from error
    return Settings(**values)


def check_names(settings: Settings, datasets: list[str]) -> None:
    """Refuse settings that speak of a dataset there is not."""
    named = {
        "DEFAULT_DATASET": [settings.default_dataset],
        "MIN_FETCH_INTERVAL": [*settings.min_fetch_interval.special],
        "FETCH_EVERY": [*settings.fetch_every.special],
        "STALE_AFTER": [*settings.stale_after.special],
    }
    for setting, names in named.items():
        for name in names:
            if name not in datasets:
                known = ", ".join(datasets)
                raise InvalidSetting(
                    f"{PREFIX}{setting} names {name!r}: expected a dataset, and there are: {known}"
                )


def unknown_names(given: Mapping[str, str]) -> list[str]:
    """A warning for every setting that does not exist, with the nearest one that does."""
    warnings = []
    for name in sorted(given):
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in SETTINGS:
            continue
        near = difflib.get_close_matches(name.removeprefix(PREFIX), SETTINGS, n=1)
        hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        warnings.append(f"{name} is not a setting and has no effect{hint}")
    return warnings


def secret_of(settings: Settings) -> bytes:
    """The key that signs cursors: the one given, or one kept beside the database."""
    if settings.secret_key:
        return settings.secret_key
    path = settings.database_path.with_name("secret.key")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_hex(_SECRET_BYTES).encode())
        key = path.read_bytes()
    except OSError as error:
        raise InvalidSetting(f"{path} cannot be used ({error.strerror})") from error
    if len(key) < _SECRET_BYTES:
        raise InvalidSetting(f"{path} is damaged; remove it, and a new one is made")
    return key


def _write_once(path: Path, content: bytes) -> None:
    """Make a file only its owner can read, whole or not at all, unless another was faster."""
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def host_of(url: str) -> str:
    """The host and port a URL leads to, as ALLOWED_PRIVATE_HOSTS has them."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{port}" if host else ""
