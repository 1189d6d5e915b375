"""Every setting there is: its name, its default, how it is read, and what it means."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from entrypoints.config import setting_readers as read
from entrypoints.config.units import duration, duration_or_off, per_dataset, rates, some_time


class Setting(NamedTuple):
    """One setting: the field it fills, its default as text, how to read it, and what it means."""

    field: str
    default: str
    read: Callable[[str], Any]
    meaning: str


SETTINGS: Mapping[str, Setting] = {
    "DATABASE_URL": Setting(
        "database_url",
        "sqlite:///var/catchment.db",
        read.database,
        "where everything is kept, or postgresql://user:password@host/database; read without the"
        " prefix too",
    ),
    "BROKER_URL": Setting(
        "broker_url",
        "",
        read.broker,
        "amqp://user:password@host/ for workers and schedulers of their own; empty keeps all in"
        " serve",
    ),
    "HOST": Setting("host", "127.0.0.1", str, "the address to listen on; 0.0.0.0 for all"),
    "PORT": Setting("port", "8000", read.port, "the port to listen on"),
    "SECRET_KEY": Setting(
        "secret_key",
        "",
        read.secret,
        "signs cursors and tokens; at least 32 bytes; when empty, made beside the SQLite file",
    ),
    "ADMIN_USERNAME": Setting(
        "admin_username",
        "",
        read.username,
        "the first admin, whom serve makes when there is nobody of that name; empty makes none",
    ),
    "ADMIN_PASSWORD": Setting(
        "admin_password", "", read.password, "the first admin's password, of at least 8 characters"
    ),
    "REQUIRE_LOGIN": Setting(
        "require_login",
        "false",
        read.flag,
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
        read.CLIENT_LIMITS,
        read.client_limits,
        "how often one client may fetch, may sign up, log in or change a password, and write tasks",
    ),
    "CORS_ORIGINS": Setting(
        "cors_origins",
        "",
        read.names_of("origins such as https://app.example.com, or *", read.is_origin),
        "whose pages may read answers in a browser: https://app.example.com, or * for all",
    ),
    "ALLOWED_HOSTS": Setting(
        "allowed_hosts",
        "",
        read.names_of("hosts such as api.example.com or *.example.com", read.is_host),
        "hosts to answer for, such as api.example.com or *.example.com; empty answers for all",
    ),
    "TRUSTED_PROXIES": Setting(
        "trusted_proxies",
        "",
        read.names_of("addresses or networks such as 10.0.0.0/8", read.is_network),
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
        per_dataset(read.longer),
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
        read.flag,
        "whether serve, or scheduler, has every dataset fetched when it starts",
    ),
    "DEFAULT_DATASET": Setting(
        "default_dataset", "posts", str, "the dataset /data and /fetch mean without a name"
    ),
    "POSTS_URL": Setting(
        "posts_url",
        "https://jsonplaceholder.typicode.com/posts",
        read.url,
        "where posts come from; empty switches the source off",
    ),
    "COINPAPRIKA_URL": Setting(
        "coinpaprika_url",
        "https://api.coinpaprika.com/v1/tickers",
        read.url,
        "where prices of crypto assets come from; empty switches the source off",
    ),
    "ASSETS_CSV": Setting(
        "assets_csv",
        "",
        read.file_or_url,
        "crypto assets of your own: the path or URL of a CSV file; empty switches the source off",
    ),
    "TELEMETRY_URL": Setting(
        "telemetry_url",
        "",
        read.url,
        "where data points come from; empty switches the source off",
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
        read.url,
        "where GitHub's API begins, for the repositories of tasks; empty: nobody is asked",
    ),
    "GITHUB_TOKEN": Setting(
        "github_token",
        "",
        read.token,
        "sent to that host alone; with one, GitHub may be asked 5000 times an hour, not 60",
    ),
    "ALLOWED_PRIVATE_HOSTS": Setting(
        "allowed_private_hosts",
        "",
        read.hosts,
        "host:port that may have a private address; those of source URLs may anyway",
    ),
    "MAX_BODY": Setting(
        "max_body",
        "1MiB,upstream=20MiB",
        read.bodies,
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
        read.alert_url,
        "gets a JSON POST when a dataset goes stale or a breaker opens, and when that is over",
    ),
    "LOG_LEVEL": Setting(
        "log_level",
        "info",
        read.choice("debug", "info", "warning", "error"),
        "how much is logged: debug, info, warning or error",
    ),
    "LOG_FORMAT": Setting(
        "log_format", "console", read.choice("console", "json"), "how it is logged: console or json"
    ),
}
