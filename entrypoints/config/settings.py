"""Settings: read once from the environment and `.env`; a bad value stops the start.

`Settings` is all there is about them: `make docs` writes `.env.example` and the reference from it.
"""

import difflib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
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
from domain.users import checked_name, checked_password
from entrypoints.config import setting_readers as read
from entrypoints.config.setting_readers import Setting, setting
from entrypoints.config.units import PerDataset, duration, per_dataset, positive_duration, rates

PREFIX = "CATCHMENT_"


class InvalidSetting(Exception):
    """A setting that cannot be used, in one line fit for the person who wrote it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set: the field `port` is read from `CATCHMENT_PORT`."""

    database_url: str = setting(
        read.database,
        "sqlite:///var/catchment.db",
        "Where everything is kept. A SQLite file is made when it is not there; three slashes begin"
        " a path relative to the working directory, four an absolute one. A PostgreSQL database,"
        " `postgresql://user:password@host/database`, has to exist. Also read as `DATABASE_URL`.",
        hidden="password",
    )
    broker_url: str = setting(
        read.broker,
        "",
        "The RabbitMQ that announces jobs to workers: `amqp://user:password@host/`, or `amqps://`"
        " for TLS. When empty, every `serve` is worker and scheduler as well; otherwise these are"
        " processes of their own.",
        hidden="password",
    )
    host: str = setting(
        str, "127.0.0.1", "The address to listen on; `0.0.0.0` listens on all of them."
    )
    port: int = setting(read.port, "8000", "The port to listen on; 0 lets the system choose one.")
    secret_key: bytes = setting(
        read.secret,
        "",
        "Signs cursors and tokens; at least 32 bytes. On SQLite it may be empty: then a key is made"
        " once and kept in `secret.key` beside the database. PostgreSQL needs one, the same for"
        " every process.",
        hidden="value",
    )
    admin_username: str = setting(
        read.or_nothing(checked_name),
        "",
        "The first admin: `serve` makes this account unless it exists, and never changes an"
        " existing one.",
    )
    admin_password: str = setting(
        read.or_nothing(checked_password),
        "",
        "The first admin's password: at least 8 characters, and none of the most common. There is"
        " no default password anywhere.",
        hidden="value",
    )
    require_login: bool = setting(
        read.flag,
        "false",
        "Whether a login is required for everything but health, documentation, and logging in"
        " itself.",
    )
    access_token_ttl: timedelta = setting(
        positive_duration, "10m", "How long an access token lasts."
    )
    refresh_token_ttl: timedelta = setting(
        positive_duration,
        "30d",
        "How long a session lasts, however often its refresh token is used.",
    )
    client_limits: dict[str, Rate] = setting(
        read.client_limits,
        read.CLIENT_LIMITS,
        "How often one client may fetch, may sign up, log in or change a password, and may make or"
        " change tasks. What is not named is as by default, and all of a window may come at once."
        " Users are counted by name; other clients, and attempts to log in, by address, of IPv6"
        " by /64.",
    )
    cors_origins: tuple[str, ...] = setting(
        read.list_of("origins such as https://app.example.com, or *", read.is_origin),
        "",
        "Whose pages may read answers in a browser: origins such as `https://app.example.com`, with"
        " commas between several, or `*` for all.",
    )
    allowed_hosts: tuple[str, ...] = setting(
        read.list_of("hosts such as api.example.com or *.example.com", read.is_host),
        "",
        "The hosts to answer for, such as `api.example.com` or `*.example.com`; when empty, any.",
    )
    trusted_proxies: tuple[str, ...] = setting(
        read.list_of("addresses or networks such as 10.0.0.0/8", read.is_network),
        "",
        "The addresses or networks of proxies, such as `10.0.0.0/8`, whose `X-Forwarded-For` and"
        " `X-Forwarded-Proto` count. From all others these headers are ignored.",
    )
    min_fetch_interval: PerDataset[timedelta] = setting(
        per_dataset(duration),
        "60s",
        "A fetch this soon after the last success asks nothing and answers `fresh`. Per dataset:"
        " `60s,posts=5m`.",
    )
    fetch_every: PerDataset[timedelta | None] = setting(
        per_dataset(read.or_none("off", positive_duration)),
        "15m",
        "How often a dataset is fetched by itself, by the scheduler or by a `serve` without a"
        " broker; `off` for never. Per dataset: `15m,posts=off`.",
    )
    stale_after: PerDataset[timedelta | None] = setting(
        per_dataset(read.or_none("", duration)),
        "",
        "Data older than this is called stale: a duration, or nothing. When empty, it is twice"
        " `FETCH_EVERY`; where that is `off`, only data whose last fetch failed is stale. Per"
        " dataset.",
    )
    fetch_deadline: timedelta = setting(
        positive_duration,
        "60s",
        "How long one fetch may take, with all its pages, retries and waits.",
    )
    fetch_on_start: bool = setting(
        read.flag,
        "true",
        "Whether every dataset that is not fresh is fetched once when the scheduler, or a `serve`"
        " without a broker, starts. When `false`, fetches come only as the schedule has them: of a"
        " new one, a period after it was made.",
    )
    default_dataset: str = setting(
        str, "posts", "The dataset that `/data` and `/fetch` mean when none is named."
    )
    posts_url: str = setting(
        read.url,
        "https://jsonplaceholder.typicode.com/posts",
        "Where posts come from. When empty, this source is switched off: posts can be read, and"
        " fetching them is refused.",
    )
    coinpaprika_url: str = setting(
        read.url,
        "https://api.coinpaprika.com/v1/tickers",
        "Where prices of crypto assets come from. Its free plan is 20 000 calls a month;"
        " [`catchment config check`](commands.md) says how many the schedule makes. When empty,"
        " this source is switched off.",
    )
    assets_csv: str = setting(
        read.file_or_url,
        "",
        "[A CSV file](datasets.md#your-own-csv-file) with crypto assets of your own: a path,"
        " relative to the working directory unless it begins with a slash, or a `file://`,"
        " `http://` or `https://` URL. When empty, this source is switched off.",
    )
    telemetry_url: str = setting(
        read.url,
        "",
        "Where [data points](datasets.md#data-points) come from. When empty, this source is"
        " switched off.",
    )
    rate_limits: dict[str, Rate] = setting(
        rates,
        "",
        "Requests a host may get in a window of time:"
        " `api.github.com=60/1h,127.0.0.1:8900=20/5s`. A host not named here gets 10 a second;"
        " `api.github.com` gets what GitHub allows, 60 an hour, or 5000 with a token.",
    )
    github_url: str = setting(
        read.url,
        "https://api.github.com",
        "Where GitHub's REST API begins, which is asked for the repositories of tasks. When empty,"
        " it is not asked: tasks are made all the same, and are `unavailable`.",
    )
    github_token: str = setting(
        read.token,
        "",
        "A token of GitHub's, sent to the host of `CATCHMENT_GITHUB_URL` and nowhere else. It is"
        " never shown.",
        hidden="value",
    )
    allowed_private_hosts: frozenset[str] = setting(
        read.hosts,
        "",
        "Hosts, as `host:port` with commas between several, that may have a private address. Those"
        " in the URL of a source may have one anyway.",
    )
    max_body: tuple[int, int] = setting(
        read.bodies,
        "1MiB,upstream=20MiB",
        "The largest body of a request to us, then of an upstream's answer as it comes over the"
        " wire. Unpacked, an answer may have 100 MiB, and 200 times its packed size.",
    )
    cache_max_age: timedelta = setting(
        duration,
        "0s",
        "How long clients may reuse an answer without asking; never past the next planned fetch. At"
        " 0, they ask each time and get a 304 when nothing changed.",
    )
    keep_raw: timedelta = setting(
        positive_duration,
        "30d",
        "How long payloads are kept. The newest fetch of each source always stays, and so does what"
        " a record in quarantine was read from. What is gone cannot be read again; the records"
        " stay.",
    )
    keep_jobs: timedelta = setting(
        positive_duration,
        "7d",
        "How long jobs that have ended are kept with their reports. The last one of each dataset"
        " always stays, and so do the totals of `GET /stats`.",
    )
    keep_quarantine: timedelta = setting(
        positive_duration,
        "90d",
        "How long a rejected record waits in quarantine after it was last seen.",
    )
    alert_url: str = setting(
        read.url,
        "",
        "Gets one JSON POST when a dataset goes stale or the breaker of a source opens, and one"
        " when that is over: see [Alerts](alerts.md). Its host may have a private address. When"
        " empty, no alerts are sent. It is not shown, because it may hold a token.",
        hidden="path",
    )
    log_level: str = setting(
        read.choice("debug", "info", "warning", "error"),
        "info",
        "How much is logged: `debug`, `info`, `warning` or `error`.",
    )
    log_format: str = setting(
        read.choice("console", "json"),
        "console",
        "How it is logged: `console` for people, `json` for machines. Logs go to standard error.",
    )

    @property
    def database_file(self) -> Path | None:
        """The SQLite file; None when the database is PostgreSQL."""
        path = self.database_url.removeprefix(read.SQLITE)
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


#: Every setting by its name without the prefix.
SETTINGS: Mapping[str, Setting[Any]] = {
    field.name.upper(): cast(Setting[Any], field.default_factory)
    for field in msgspec.structs.fields(Settings)
}


def environment(file: Path = Path(".env")) -> dict[str, str]:
    """Return the settings of `.env`, and over them those of the environment."""
    written = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return {**{name: value or "" for name, value in written.items()}, **os.environ}


def load(given: Mapping[str, str]) -> Settings:
    """Read the settings; InvalidSetting names the first one that cannot be used."""
    values: dict[str, Any] = {}
    for name, declared in SETTINGS.items():
        text = given_text(given, name)
        try:
            values[name.lower()] = declared.read(text)
        except (ValueError, InvalidInput) as error:
            hidden = declared.hidden or "@" in text
            shown = "" if hidden else f" is {text[:100]!r}"
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


def given_text(given: Mapping[str, str], name: str) -> str:
    """Return the text given for a setting, or its default; DATABASE_URL needs no prefix."""
    default = SETTINGS[name].default
    bare = given.get(name, default) if name == "DATABASE_URL" else default
    return given.get(PREFIX + name, bare)


def check_names(settings: Settings, datasets: list[str], *scheduled: str) -> None:
    """Raise if a setting names an unknown dataset; some names are only ever `scheduled`."""
    timed = [*datasets, *scheduled]
    named = {
        "DEFAULT_DATASET": ([settings.default_dataset], datasets),
        "MIN_FETCH_INTERVAL": (settings.min_fetch_interval.special, timed),
        "FETCH_EVERY": (settings.fetch_every.special, timed),
        "STALE_AFTER": (settings.stale_after.special, datasets),
    }
    for field, (names, there_are) in named.items():
        for name in names:
            if name not in there_are:
                known = ", ".join(there_are)
                raise InvalidSetting(
                    f"{PREFIX}{field} names {name!r}: expected a dataset, and there are: {known}"
                )


def unknown_names(given: Mapping[str, str]) -> list[str]:
    """Return a warning for every name that is no setting, with the nearest one that is."""
    warnings = []
    for name in sorted(given):
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in SETTINGS:
            continue
        near = difflib.get_close_matches(name.removeprefix(PREFIX), SETTINGS, n=1)
        hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        warnings.append(f"{name} is not a setting and has no effect{hint}")
    return warnings


def host_of(url: str) -> str:
    """Return the host and port of a URL, as ALLOWED_PRIVATE_HOSTS has them; "" for a file."""
    if not read.is_http(url):
        return ""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{port}" if host else ""
