"""Every setting there is: its name, its default, how it is read, and what it means."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from domain.politeness import Rate
from domain.users import checked_name, checked_password
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


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def is_http(text: str) -> bool:
    """Whether this leads to a host, and not to a file."""
    return text.lower().startswith(("http://", "https://"))


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("expected a full http or https URL, or nothing to switch the source off")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected a URL without a name or password in it")
    _ = parts.port  # a ValueError for one that is none
    return text


def _file_or_url(text: str) -> str:
    if is_http(text):
        return _url(text)
    scheme, separator, place = text.partition("://")
    if separator and (scheme.lower() != "file" or not place.startswith("/") or place == "/"):
        raise ValueError("expected a path, file:///PATH, or a full http or https URL, or nothing")
    return text


def _alert_url(text: str) -> str:
    try:
        return _url(text)
    except ValueError as error:
        raise ValueError(
            "expected a full http or https URL without a name or password in it, or nothing"
        ) from error


def _hosts(text: str) -> frozenset[str]:
    hosts = [item.strip().lower() for item in text.split(",") if item.strip()]
    if any(not host.rpartition(":")[2].isdigit() for host in hosts):
        raise ValueError("expected host:port, such as 10.0.0.5:8080, with commas between several")
    return frozenset(hosts)


def _names(expected: str, is_name: Callable[[str], bool]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(item.strip() for item in text.split(",") if item.strip())
        if not all(map(is_name, names)):
            raise ValueError(f"expected {expected}, with commas between several")
        return names

    return read


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    bare = parts.scheme in ("http", "https") and bool(parts.netloc) and "@" not in parts.netloc
    return text == "*" or (bare and text == f"{parts.scheme}://{parts.netloc}")


def _is_host(text: str) -> bool:
    return re.fullmatch(r"(?:\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", text) is not None


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _client_limits(text: str) -> dict[str, Rate]:
    read = rates(text)
    if set(read) != {"fetch", "login"}:
        raise ValueError("expected both limits, such as fetch=600/1m,login=30/1m")
    return read


def _password(text: str) -> str:
    return checked_password(text) if text else text


def _username(text: str) -> str:
    return checked_name(text) if text else text


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
        "signs cursors and tokens; at least 32 bytes; when empty, made beside the SQLite file",
    ),
    "ADMIN_USERNAME": Setting(
        "admin_username",
        "",
        _username,
        "the first admin, whom serve makes when there is nobody of that name; empty makes none",
    ),
    "ADMIN_PASSWORD": Setting(
        "admin_password", "", _password, "the first admin's password, of at least 8 characters"
    ),
    "REQUIRE_LOGIN": Setting(
        "require_login",
        "false",
        _flag,
        "whether everybody must log in for anything but health, docs and logging in",
    ),
    "ACCESS_TOKEN_TTL": Setting(
        "access_token_ttl", "10m", some_time, "how long an access token lasts"
    ),
    "REFRESH_TOKEN_TTL": Setting(
        "refresh_token_ttl",
        "30d",
        some_time,
        "how long a session lasts, however often its refresh token is used",
    ),
    "CLIENT_LIMITS": Setting(
        "client_limits",
        "fetch=600/1m,login=30/1m",
        _client_limits,
        "how often one client may fetch, and may sign up, log in or change a password",
    ),
    "CORS_ORIGINS": Setting(
        "cors_origins",
        "",
        _names("origins such as https://app.example.com, or *", _is_origin),
        "whose pages may read answers in a browser: https://app.example.com, or * for all",
    ),
    "ALLOWED_HOSTS": Setting(
        "allowed_hosts",
        "",
        _names("hosts such as api.example.com or *.example.com", _is_host),
        "hosts to answer for, such as api.example.com or *.example.com; empty answers for all",
    ),
    "TRUSTED_PROXIES": Setting(
        "trusted_proxies",
        "",
        _names("addresses or networks such as 10.0.0.0/8", _is_network),
        "addresses or networks whose X-Forwarded-For counts, such as 10.0.0.0/8; empty: nobody's",
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
    "COINPAPRIKA_URL": Setting(
        "coinpaprika_url",
        "https://api.coinpaprika.com/v1/tickers",
        _url,
        "where prices of crypto assets come from; empty switches the source off",
    ),
    "ASSETS_CSV": Setting(
        "assets_csv",
        "",
        _file_or_url,
        "crypto assets of your own: the path or URL of a CSV file; empty switches the source off",
    ),
    "TELEMETRY_URL": Setting(
        "telemetry_url",
        "",
        _url,
        "where data points come from; empty switches the source off",
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
    "KEEP_RAW": Setting(
        "keep_raw",
        "30d",
        some_time,
        "how long payloads are kept; the newest of each source always are",
    ),
    "KEEP_JOBS": Setting(
        "keep_jobs", "7d", some_time, "how long jobs that have ended are kept with their reports"
    ),
    "KEEP_QUARANTINE": Setting(
        "keep_quarantine",
        "90d",
        some_time,
        "how long rejected records wait after they were last seen",
    ),
    "ALERT_URL": Setting(
        "alert_url",
        "",
        _alert_url,
        "gets a JSON POST when a dataset goes stale or a breaker opens, and when that is over",
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
