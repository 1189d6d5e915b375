"""Every setting there is: its name, its default, how it is read, and what it means."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from entrypoints.units import duration, duration_or_off, per_dataset, rates, size, some_time

SQLITE = "sqlite:///"
_SHORTEST_SECRET = 32


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


def _database(text: str) -> str:
    if text.startswith(("postgresql://", "postgres://")):
        return _server(text, "postgresql://user:password@host/database")
    path = text.removeprefix(SQLITE)
    if not text.startswith(SQLITE) or not path or "?" in path or path == ":memory:":
        raise ValueError(
            "expected sqlite:///FILE, such as sqlite:///var/catchment.db, or"
            " postgresql://user:password@host/database"
        )
    return text


def _broker(text: str) -> str:
    if not text:
        return text
    if not text.startswith(("amqp://", "amqps://")):
        raise ValueError("expected amqp://user:password@host/, or nothing for the embedded queue")
    return _server(text, "amqp://user:password@host/")


def _server(text: str, example: str) -> str:
    parts = urlsplit(text)
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"expected a port from 0 to 65535 in {example}") from error
    if not parts.hostname:
        raise ValueError(f"expected a host, as in {example}")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ValueError("expected a port from 0 to 65535")
    return int(text)


def _secret(text: str) -> bytes:
    if text and len(text.encode()) < _SHORTEST_SECRET:
        raise ValueError(f"expected at least {_SHORTEST_SECRET} bytes, or nothing")
    return text.encode()


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]*", text):
        raise ValueError("expected visible ASCII characters without spaces, or nothing")
    return text


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("expected a full http or https URL, or nothing to switch the source off")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected a URL without a name or password in it")
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
    return duration(text) if text else None


SETTINGS: Mapping[str, Setting] = {
    "DATABASE_URL": Setting(
        "database_url",
        "sqlite:///var/catchment.db",
        _database,
        "where everything is kept, or postgresql://user:password@host/database; read without the"
        " prefix too",
    ),
    "BROKER_URL": Setting(
        "broker_url",
        "",
        _broker,
        "amqp://user:password@host/ for workers and schedulers of their own; empty keeps all in"
        " serve",
    ),
    "HOST": Setting("host", "127.0.0.1", str, "the address to listen on; 0.0.0.0 for all"),
    "PORT": Setting("port", "8000", _port, "the port to listen on"),
    "SECRET_KEY": Setting(
        "secret_key",
        "",
        _secret,
        "signs cursors; at least 32 bytes; when empty, made beside the SQLite file",
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
        "how often a dataset is fetched by itself, or off; per dataset: 15m,posts=off",
    ),
    "STALE_AFTER": Setting(
        "stale_after",
        "",
        per_dataset(_longer),
        "data older than this is stale; empty means twice FETCH_EVERY",
    ),
    "FETCH_DEADLINE": Setting(
        "fetch_deadline",
        "60s",
        some_time,
        "how long one fetch may take, retries and waits included",
    ),
    "FETCH_ON_START": Setting(
        "fetch_on_start",
        "true",
        _flag,
        "whether serve, or scheduler, has every dataset fetched when it starts",
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
    "GITHUB_URL": Setting(
        "github_url",
        "https://api.github.com",
        _url,
        "where GitHub's API begins, for the repositories of tasks; empty: nobody is asked",
    ),
    "GITHUB_TOKEN": Setting(
        "github_token",
        "",
        _token,
        "sent to that host alone; with one, GitHub may be asked 5000 times an hour, not 60",
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
