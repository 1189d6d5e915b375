"""Settings: read once from the environment and `.env`; a bad value stops the start."""

import difflib
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values

from domain.politeness import Rate
from entrypoints.units import (
    PerDataset,
    duration,
    duration_or_off,
    per_dataset,
    rates,
    size,
)

PREFIX = "CATCHMENT_"
_SQLITE = "sqlite:///"
_SHORTEST_SECRET = 32


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


class Setting(NamedTuple):
    """One setting: the field it fills, its default as text, how to read it, and what it means."""

    field: str
    default: str
    read: Callable[[str], Any]
    meaning: str


def _choice(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return read


def _database(text: str) -> Path:
    if text.startswith(("postgresql:", "postgres:")):
        raise ValueError("PostgreSQL is not supported yet; use sqlite:///var/catchment.db")
    path = text.removeprefix(_SQLITE)
    if not text.startswith(_SQLITE) or not path or "?" in path or path == ":memory:":
        raise ValueError("expected sqlite:///FILE, such as sqlite:///var/catchment.db")
    return Path(path)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ValueError("expected a port from 0 to 65535")
    return int(text)


def _secret(text: str) -> bytes:
    if text and len(text.encode()) < _SHORTEST_SECRET:
        raise ValueError(f"expected at least {_SHORTEST_SECRET} bytes, or nothing")
    return text.encode()


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("expected a full http or https URL, or nothing to switch the source off")
    _ = parts.port  # a ValueError for one that is none
    return text


def _hosts(text: str) -> frozenset[str]:
    hosts = [item.strip().lower() for item in text.split(",") if item.strip()]
    if any(not host.rpartition(":")[2].isdigit() for host in hosts):
        raise ValueError("expected host:port, such as 10.0.0.5:8080, with commas between several")
    return frozenset(hosts)


def _bodies(text: str) -> tuple[int, int]:
    inward, _, upstream = text.partition(",")
    if not upstream.startswith("upstream="):
        raise ValueError("expected two sizes, such as 1MiB,upstream=20MiB")
    return size(inward), size(upstream.removeprefix("upstream="))


def _longer(text: str) -> timedelta | None:
    return duration_or_off(text) if text else None


SETTINGS: Mapping[str, Setting] = {
    "DATABASE_URL": Setting(
        "database_path",
        "sqlite:///var/catchment.db",
        _database,
        "where everything is kept; read without the prefix too",
    ),
    "HOST": Setting("host", "127.0.0.1", str, "the address to listen on; 0.0.0.0 for all"),
    "PORT": Setting("port", "8000", _port, "the port to listen on"),
    "SECRET_KEY": Setting(
        "secret_key",
        "",
        _secret,
        "signs cursors; at least 32 bytes, made beside the database when empty",
    ),
    "MIN_FETCH_INTERVAL": Setting(
        "min_fetch_interval",
        "60s",
        per_dataset(duration),
        "a fetch this soon after the last one asks nothing; per dataset: 60s,posts=5m",
    ),
    "FETCH_EVERY": Setting(
        "fetch_every",
        "15m",
        per_dataset(duration_or_off),
        "how often serve fetches by itself, or off; per dataset: 15m,posts=off",
    ),
    "STALE_AFTER": Setting(
        "stale_after",
        "",
        per_dataset(_longer),
        "data older than this is stale; empty means twice FETCH_EVERY",
    ),
    "FETCH_DEADLINE": Setting(
        "fetch_deadline", "60s", duration, "how long one fetch may take, retries and waits included"
    ),
    "FETCH_ON_START": Setting(
        "fetch_on_start", "true", _flag, "whether serve fetches every dataset once when it starts"
    ),
    "DEFAULT_DATASET": Setting(
        "default_dataset", "posts", str, "the dataset /data and /fetch mean without a name"
    ),
    "POSTS_URL": Setting(
        "posts_url",
        "https://jsonplaceholder.typicode.com/posts",
        _url,
        "where posts come from; empty switches the source off",
    ),
    "RATE_LIMITS": Setting(
        "rate_limits",
        "",
        rates,
        "requests a host may get: api.github.com=60/1h,127.0.0.1:8900=20/5s; others 10/1s",
    ),
    "ALLOWED_PRIVATE_HOSTS": Setting(
        "allowed_private_hosts",
        "",
        _hosts,
        "host:port that may have a private address; those of source URLs may anyway",
    ),
    "MAX_BODY": Setting(
        "max_body",
        "1MiB,upstream=20MiB",
        _bodies,
        "the largest body of a request to us, and of an answer from an upstream",
    ),
    "CACHE_MAX_AGE": Setting(
        "cache_max_age",
        "0s",
        duration,
        "how long clients may reuse an answer unasked, never past the next planned fetch",
    ),
    "LOG_LEVEL": Setting(
        "log_level",
        "info",
        _choice("debug", "info", "warning", "error"),
        "how much is logged: debug, info, warning or error",
    ),
    "LOG_FORMAT": Setting(
        "log_format", "console", _choice("console", "json"), "how it is logged: console or json"
    ),
}


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
            shown = "" if name == "SECRET_KEY" else f" is {text[:100]!r}"
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
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        key = secrets.token_hex(32).encode()
        file.write(key)
        return key


def host_of(url: str) -> str:
    """The host and port a URL leads to, as rate limits and private hosts are written."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.hostname}:{port}" if parts.hostname else ""
