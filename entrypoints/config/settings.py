"""Settings: their names, defaults and meanings; `loading` reads them once, at the start.

`Settings` declares all of them: `make docs` generates `.env.example` and the reference from it.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec

from adapters.outbound.polite.urls import parse
from application.ports.jobs import KEPT
from domain.politeness import Cadence, Rate
from domain.retention import (
    CLIENTS_KEPT,
    GUESSES_KEPT,
    SESSIONS_KEPT,
    TOKENS_KEPT,
    RetainedKind,
    RetentionPolicy,
)
from domain.tasks import MAX_TASKS
from domain.units import duration, positive_duration
from domain.users import MOST_ACCOUNTS, SignupRules, checked_name, checked_password
from entrypoints.config import setting_readers as read
from entrypoints.config.setting_readers import Setting, setting
from entrypoints.config.units import PerDataset, per_dataset, rates

PREFIX = "CATCHMENT_"


class InvalidSetting(Exception):
    """An invalid setting, described in one line for the operator."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings: the field `port` is read from `CATCHMENT_PORT`."""

    database_url: str = setting(
        read.database,
        "sqlite:///var/catchment.db",
        "The database. A SQLite file is created if it does not exist; three slashes start a"
        " path relative to the working directory, four an absolute one. A PostgreSQL database,"
        " `postgresql://user:password@host/database`, must exist. Also read from"
        " `DATABASE_URL`.",
        hidden="password",
    )
    broker_url: str = setting(
        read.broker,
        "",
        "The RabbitMQ server that announces jobs to workers: `amqp://user:password@host/`, or"
        " `amqps://` for TLS. When empty, every `serve` is also worker and scheduler;"
        " otherwise these are separate processes.",
        hidden="password",
    )
    host: str = setting(
        str, "127.0.0.1", "The address to listen on; `0.0.0.0` means all addresses."
    )
    port: int = setting(read.port, "8000", "The port to listen on; 0 means any free port.")
    secret_key: bytes = setting(
        read.secret,
        "",
        "Signs cursors and tokens; at least 32 bytes. A new key ends all of them, every session"
        " and every API token. With SQLite it may be empty: then a key is generated once and"
        " stored in `secret.key` next to the database. PostgreSQL requires one, the same for"
        " every process.",
        hidden="value",
    )
    admin_username: str = setting(
        read.or_nothing(checked_name),
        "",
        "The first admin: `serve` creates this account unless it exists, and never changes an"
        " existing one.",
    )
    admin_password: str = setting(
        read.or_nothing(checked_password),
        "",
        "The first admin's password: at least 8 characters, and not one of the most common."
        " There is no default password.",
        hidden="value",
    )
    require_login: bool = setting(
        read.flag,
        "false",
        "Whether a login is required for everything except health, documentation and logging in.",
    )
    signup: str = setting(
        read.or_nothing(read.choice("open", "closed")),
        "",
        "Who may create an account: with `open` anyone, with `closed` only admins, by"
        " [`POST /users`](http-api.md#post-users) or `catchment user add`. When empty, it is"
        " `closed` if `CATCHMENT_REQUIRE_LOGIN` is on, and `open` otherwise.",
    )
    max_accounts: int = setting(
        read.whole(1),
        str(MOST_ACCOUNTS),
        "The number of accounts at which signing up ends; admins can create more."
        " The number for one client is a limit of `CATCHMENT_CLIENT_LIMITS`.",
    )
    max_tasks: int = setting(
        read.whole(1),
        str(MAX_TASKS),
        "How many tasks there may be before creating one is refused. How many one client may"
        " create, change and delete is a limit of `CATCHMENT_CLIENT_LIMITS`.",
    )
    access_token_ttl: timedelta = setting(
        positive_duration, "10m", "The lifetime of an access token."
    )
    refresh_token_ttl: timedelta = setting(
        positive_duration,
        "30d",
        "The lifetime of a session, however often its refresh token is used.",
    )
    client_limits: dict[str, Rate] = setting(
        read.client_limits,
        read.CLIENT_LIMITS,
        "Requests one client may send in a window of time: `fetch` (fetch, replay, cancel), `login`"
        " (sign up, log in, change a password), `signup`, `sessions` (refresh, log out, change"
        " sessions, API tokens and users) and `tasks` (create, change, delete). Limits that are not"
        " named keep their defaults; all requests of a window may come at once. Users are counted"
        " by name; other clients, and those that sign up or log in, by address, IPv6 by /64.",
    )
    cors_origins: tuple[str, ...] = setting(
        read.list_of("origins such as https://app.example.com, or *", read.is_origin),
        "",
        "The origins whose pages may read responses in a browser, such as"
        " `https://app.example.com`, separated by commas, or `*` for all.",
    )
    allowed_hosts: tuple[str, ...] = setting(
        read.list_of("hosts such as api.example.com or *.example.com", read.is_host),
        "",
        "The accepted `Host` names, such as `api.example.com` or `*.example.com`, separated"
        " by commas. When empty, all; but a service that listens on loopback and has no"
        " `TRUSTED_PROXIES` accepts the names of loopback alone: `localhost`, `127.0.0.0/8` and"
        " `[::1]`.",
    )
    trusted_proxies: tuple[str, ...] = setting(
        read.list_of("addresses or networks such as 10.0.0.5", read.is_network),
        "",
        "The addresses of trusted proxies, such as `10.0.0.5`, or networks that nothing else is"
        " in, separated by commas: whatever sends from there can claim any address."
        " `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Prefix` from any other address"
        " are ignored.",
    )
    root_path: str = setting(
        read.root_path,
        "",
        "The path prefix under which a proxy serves this API, such as `/catchment`. Links begin"
        " with it, and it is stripped from the path of a request that still has it."
        " `X-Forwarded-Prefix` of a trusted proxy takes precedence.",
    )
    min_fetch_interval: PerDataset[timedelta] = setting(
        per_dataset(duration),
        "60s",
        "The minimum interval: a fetch this soon after the last success sends no request and"
        " has the outcome `fresh`. Per dataset: `60s,posts=5m`.",
    )
    fetch_every: PerDataset[timedelta | None] = setting(
        per_dataset(read.or_none("off", positive_duration)),
        "15m",
        "The period of the schedule, run by the scheduler or by a `serve` without a broker;"
        " `off` for none. Per dataset: `15m,posts=off`.",
    )
    stale_after: PerDataset[timedelta | None] = setting(
        per_dataset(read.or_none("", duration)),
        "",
        "The age at which data is stale: a duration, or nothing. When empty, it is twice"
        " `FETCH_EVERY`; where that is `off`, data is stale only after a failed fetch. Per"
        " dataset.",
    )
    fetch_deadline: timedelta = setting(
        positive_duration,
        "60s",
        "The maximum duration of one fetch, with all its pages, retries and waits. A source may"
        " take as long before it answers, and needs about twice its time:"
        " [what a slow source costs](report.md#a-slow-source).",
    )
    fetch_on_start: bool = setting(
        read.flag,
        "true",
        "Whether every dataset that is not fresh is fetched once when the scheduler, or a"
        " `serve` without a broker, starts. When `false`, only the schedule fetches; the first"
        " run of a new schedule is one period after its creation.",
    )
    datasets: str = setting(
        str,
        "",
        "A TOML file, or a folder of them, that declares datasets of your own:"
        " [the grammar](declarations.md). When empty, `datasets.toml` is read if it is there.",
    )
    default_dataset: str = setting(
        str, "posts", "The dataset of `/data` and `/fetch` without a name."
    )
    posts_url: str = setting(
        read.url,
        "https://jsonplaceholder.typicode.com/posts",
        "The source of posts. When empty, this source is switched off: stored posts are"
        " served, and fetching them is refused.",
    )
    coinpaprika_url: str = setting(
        read.url,
        "https://api.coinpaprika.com/v1/tickers",
        "The source of crypto asset prices. Its free plan is 20 000 calls a month;"
        " [`catchment config check`](commands.md) shows how many the schedule makes. When"
        " empty, this source is switched off.",
    )
    assets_csv: str = setting(
        read.file_or_url,
        "",
        "[A CSV file](datasets.md#your-own-csv-file) with your own crypto assets: a path,"
        " relative to the working directory unless it starts with a slash, or a `file://`,"
        " `http://` or `https://` URL. When empty, this source is switched off.",
    )
    telemetry_url: str = setting(
        read.url,
        "",
        "The source of [data points](datasets.md#data-points). When empty, this source is"
        " switched off.",
    )
    rate_limits: dict[str, Rate] = setting(
        rates,
        "",
        "The number of requests that may be sent to a host in a window of time:"
        " `api.github.com=60/1h,127.0.0.1:8900=20/5s`. The default is 10 a second; for"
        " `api.github.com` it is GitHub's limit, 60 an hour, or 5000 with a token.",
    )
    github_url: str = setting(
        read.url,
        "https://api.github.com",
        "The base URL of GitHub's REST API, which is used to look up the repositories of"
        " tasks. When empty, no lookup is made: tasks are created all the same, and are"
        " `unavailable`.",
    )
    github_token: str = setting(
        read.token,
        "",
        "A GitHub token, sent to the host of `CATCHMENT_GITHUB_URL` and to no other. It is"
        " never shown.",
        hidden="value",
    )
    allowed_private_hosts: frozenset[str] = setting(
        read.hosts,
        "",
        "Hosts, as `host:port` separated by commas, that may have a private address. In the"
        " URL of a source an address as it stands and `localhost` are allowed; a name that resolves"
        " to a private address has to be here. `catchment config check` prints the line to set.",
    )
    follow_hosts: frozenset[str] = setting(
        read.follow_hosts,
        "",
        "Hosts that a redirect of a source may lead to, besides its own: `files.example.com`,"
        " `*.example.com` for all below one, with a port unless it is the usual one, and commas"
        " between several. They get no token of the source and have budgets of their own; a private"
        " address has to be in `ALLOWED_PRIVATE_HOSTS` as well, and from https only https is"
        " followed. When empty, none.",
    )
    max_body: tuple[int, int] = setting(
        read.bodies,
        "1MiB,upstream=20MiB",
        "The largest body of a request to this service, then of an upstream's response as"
        " transferred. Decompressed, a response may have 100 MiB, and 200 times its compressed"
        " size.",
    )
    cache_max_age: timedelta = setting(
        duration,
        "0s",
        "How long clients may reuse a response without revalidation; never past the next"
        " scheduled fetch. With 0 they revalidate every time, and get a 304 when nothing has"
        " changed.",
    )
    keep_raw: timedelta = setting(
        positive_duration,
        "30d",
        "How long payloads are kept. The newest fetch of each source is always kept, and so"
        " are the payloads of records in quarantine. A removed payload cannot be reprocessed;"
        " its records stay.",
    )
    keep_jobs: timedelta = setting(
        positive_duration,
        "7d",
        "How long ended jobs are kept with their reports. The last one of each dataset is"
        " always kept, and so are the totals of `GET /stats`.",
    )
    keep_quarantine: timedelta = setting(
        positive_duration,
        "90d",
        "How long a rejected record is kept in quarantine after its last rejection.",
    )
    alert_url: str = setting(
        read.url,
        "",
        "Receives one JSON POST when a dataset becomes stale or the breaker of a source"
        " opens, and one when that ends: see [Alerts](alerts.md). A name with a private"
        " address has to be in `ALLOWED_PRIVATE_HOSTS`. When empty, no alerts are sent. It is not"
        " shown, because it may contain a token.",
        hidden="path",
    )
    log_level: str = setting(
        read.choice("debug", "info", "warning", "error"),
        "info",
        "The lowest level that is logged: `debug`, `info`, `warning` or `error`.",
    )
    log_format: str = setting(
        read.choice("console", "json"),
        "console",
        "The format of the log: `console` for people, `json` for machines. Logs go to"
        " standard error.",
    )
    metrics: str = setting(
        read.choice("open", "token", "off"),
        "open",
        "Who may see [the metrics](../how-to/observe.md) at `/metrics`: with `open` anyone the"
        " totals and the process, and admins every label; with `token` only admins; `off`"
        " switches them off.",
    )
    traces_url: str = setting(
        read.url,
        "",
        "Receives [traces](../how-to/observe.md#traces), by OTLP over HTTP: the URL of a collector,"
        " such as `http://127.0.0.1:4318/v1/traces`. Needs the extra `catchment[otel]`; its own"
        " variables, such as `OTEL_TRACES_SAMPLER`, hold as well. When empty, nothing is traced.",
        hidden="path",
    )
    metrics_port: int | None = setting(
        read.or_none("", read.port),
        "",
        "The port at which a worker or a scheduler serves `/metrics`, `/health/live` and"
        " `/health/ready`, at the address of `HOST`; 0 means any free port. When empty, none."
        " `serve` has them at its own port.",
    )

    @property
    def database_file(self) -> Path | None:
        """Return the path of the SQLite file; None when the database is PostgreSQL."""
        path = self.database_url.removeprefix(read.SQLITE)
        return Path(path) if path != self.database_url else None

    @property
    def signup_rules(self) -> SignupRules:
        """Return whether users may sign up, and how many accounts there may be."""
        default = "closed" if self.require_login else "open"
        return SignupRules((self.signup or default) == "open", self.max_accounts)

    @property
    def retention_policy(self) -> RetentionPolicy:
        """Return how long each kind of row is retained."""
        return RetentionPolicy(
            ages={
                RetainedKind.QUARANTINE: self.keep_quarantine,
                RetainedKind.PAYLOADS: self.keep_raw,
                RetainedKind.JOBS: self.keep_jobs,
                RetainedKind.KEYS: KEPT,
                RetainedKind.SESSIONS: SESSIONS_KEPT,
                RetainedKind.TOKENS: TOKENS_KEPT,
                RetainedKind.GUESSES: GUESSES_KEPT,
                RetainedKind.CLIENTS: CLIENTS_KEPT,
            }
        )

    def cadence(self, dataset: str) -> Cadence:
        """Return the minimum interval, the period and the staleness limit of a dataset."""
        return Cadence(
            interval=self.min_fetch_interval.of(dataset),
            every=self.fetch_every.of(dataset),
            stale_after=self.stale_after.of(dataset),
        )


#: Every setting by its name without the prefix.
SETTINGS: Mapping[str, Setting[Any]] = {
    field.name.upper(): cast(Setting[Any], field.default_factory)
    for field in msgspec.structs.fields(Settings)
}


def host_of(url: str) -> str:
    """Return the host and port of a URL, as ALLOWED_PRIVATE_HOSTS has them; "" for a file."""
    if not read.is_http(url):
        return ""
    parsed = parse(url)
    return f"{parsed.host}:{parsed.port}"
