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

from application.ports.jobs import KEPT
from domain.errors import InvalidInput
from domain.politeness import Cadence, Rate
from domain.retention import (
    CLIENTS_KEPT,
    GUESSES_KEPT,
    SESSIONS_KEPT,
    RetainedKind,
    RetentionPolicy,
)
from entrypoints.config.setting_readers import SQLITE, is_http
from entrypoints.config.setting_table import SETTINGS
from entrypoints.config.units import PerDataset

PREFIX = "CATCHMENT_"
_SECRET_BYTES = 32
#: Settings whose text is never shown as it is.
_SECRET = frozenset(
    {"SECRET_KEY", "ADMIN_PASSWORD", "DATABASE_URL", "BROKER_URL", "ALERT_URL", "GITHUB_TOKEN"}
)


class InvalidSetting(Exception):
    """A setting that cannot be used, in one line fit for the person who wrote it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the program can be told."""

    database_url: str
    broker_url: str
    host: str
    port: int
    secret_key: bytes
    admin_username: str
    admin_password: str
    require_login: bool
    access_token_ttl: timedelta
    refresh_token_ttl: timedelta
    client_limits: dict[str, Rate]
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    min_fetch_interval: PerDataset[timedelta]
    fetch_every: PerDataset[timedelta | None]
    stale_after: PerDataset[timedelta | None]
    fetch_deadline: timedelta
    fetch_on_start: bool
    default_dataset: str
    posts_url: str
    coinpaprika_url: str
    assets_csv: str
    telemetry_url: str
    rate_limits: dict[str, Rate]
    github_url: str
    github_token: str
    allowed_private_hosts: frozenset[str]
    max_body: tuple[int, int]
    cache_max_age: timedelta
    keep_raw: timedelta
    keep_jobs: timedelta
    keep_quarantine: timedelta
    alert_url: str
    log_level: str
    log_format: str

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None when the database is PostgreSQL."""
        path = self.database_url.removeprefix(SQLITE)
        return Path(path) if path != self.database_url else None

    @property
    def keeping(self) -> RetentionPolicy:
        """For how long everything is kept that grows with time."""
        return RetentionPolicy(
            ages={
                RetainedKind.QUARANTINE: self.keep_quarantine,
                RetainedKind.PAYLOADS: self.keep_raw,
                RetainedKind.JOBS: self.keep_jobs,
                RetainedKind.KEYS: KEPT,
                RetainedKind.SESSIONS: SESSIONS_KEPT,
                RetainedKind.GUESSES: GUESSES_KEPT,
                RetainedKind.CLIENTS: CLIENTS_KEPT,
            }
        )

    def cadence(self, dataset: str) -> Cadence:
        """How often a dataset may be and is fetched, and when it is stale."""
        return Cadence(
            interval=self.min_fetch_interval.of(dataset),
            every=self.fetch_every.of(dataset),
            stale_after=self.stale_after.of(dataset),
        )


def environment(file: Path = Path(".env")) -> dict[str, str]:
    """The settings of `.env`, and over them those of the environment."""
    written = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return {**{name: value or "" for name, value in written.items()}, **os.environ}


def load(given: Mapping[str, str]) -> Settings:
    """Read the settings; InvalidSetting names the first one that cannot be used."""
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        text = given_text(given, name, setting.default)
        try:
            values[setting.field] = setting.read(text)
        except (ValueError, InvalidInput) as error:
            secret = name in _SECRET or "@" in text
            shown = "" if secret else f" is {text[:100]!r}"
            raise InvalidSetting(f"{PREFIX}{name}{shown}: {error}") from error
    settings = Settings(**values)
    if settings.database_file is None and not settings.secret_key:
        raise InvalidSetting(
            f"{PREFIX}SECRET_KEY is empty: PostgreSQL needs one, the same for every process;"
            " make it with: openssl rand -hex 32"
        )
    if bool(settings.admin_username) != bool(settings.admin_password):
        raise InvalidSetting(
            f"{PREFIX}ADMIN_USERNAME and {PREFIX}ADMIN_PASSWORD go together: give both, or none"
        )
    return settings


def given_text(given: Mapping[str, str], name: str, default: str) -> str:
    """What a setting was given, or its default; DATABASE_URL is known without the prefix too."""
    bare = given.get(name, default) if name == "DATABASE_URL" else default
    return given.get(PREFIX + name, bare)


def check_names(settings: Settings, datasets: list[str], *scheduled: str) -> None:
    """Refuse settings that speak of a dataset there is not; some are only ever `scheduled`."""
    timed = [*datasets, *scheduled]
    named = {
        "DEFAULT_DATASET": ([settings.default_dataset], datasets),
        "MIN_FETCH_INTERVAL": (settings.min_fetch_interval.special, timed),
        "FETCH_EVERY": (settings.fetch_every.special, timed),
        "STALE_AFTER": (settings.stale_after.special, datasets),
    }
    for setting, (names, there_are) in named.items():
        for name in names:
            if name not in there_are:
                known = ", ".join(there_are)
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
    if settings.database_file is None:
        raise InvalidSetting(f"{PREFIX}SECRET_KEY is empty, and PostgreSQL needs one")
    path = settings.database_file.with_name("secret.key")
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


def harmless(name: str, text: str) -> str:
    """The text of a setting fit for a screen: without what is secret in it."""
    if name == "SECRET_KEY":
        return "(set)" if text else "(made beside the database)"
    if name in ("ADMIN_PASSWORD", "GITHUB_TOKEN"):
        return "(set)" if text else ""
    if name == "ALERT_URL":  # its path and query may hold a token
        return f"{urlsplit(text).scheme}://{urlsplit(text).netloc}/..." if text else ""
    if "://" not in text:
        return text
    return shown(text) + ("?..." if urlsplit(text).query else "")  # there may be a key in it


def shown(url: str) -> str:
    """A URL fit for a screen or a log: without its password."""
    parts = urlsplit(url)
    user, separator, host = parts.netloc.rpartition("@")
    hidden = f"{user.partition(':')[0]}:***@{host}" if separator and ":" in user else parts.netloc
    return parts._replace(netloc=hidden, query="").geturl() if parts.netloc else url


def host_of(url: str) -> str:
    """The host and port a URL leads to, as ALLOWED_PRIVATE_HOSTS has them; "" for a file."""
    if not is_http(url):
        return ""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{port}" if host else ""
