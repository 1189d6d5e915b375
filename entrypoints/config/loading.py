"""The loading of settings from the environment and `.env`, with errors and warnings."""

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from domain.errors import InvalidInput, SourceRefused
from entrypoints.config.settings import PREFIX, SETTINGS, InvalidSetting, Settings

#: The shortest prefix, by IP version, of a network that may contain only proxies.
_NARROW = {4: 24, 6: 64}


def environment(file: Path = Path(".env")) -> dict[str, str]:
    """Return the settings of `.env`, overridden by those of the environment."""
    written = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return {**{name: value or "" for name, value in written.items()}, **os.environ}


def load(given: Mapping[str, str]) -> Settings:
    """Return the settings; raise InvalidSetting for the first invalid one."""
    values: dict[str, Any] = {}
    for name, declared in SETTINGS.items():
        text = given_text(given, name)
        try:
            values[name.lower()] = declared.read(text)
        except (ValueError, InvalidInput, SourceRefused) as error:
            hidden = declared.hidden or "@" in text
            shown = "" if hidden else f" is {text[:100]!r}"
            raise InvalidSetting(f"{PREFIX}{name}{shown}: {error}") from error
    settings = Settings(**values)
    if settings.database_file is None and not settings.secret_key:
        raise InvalidSetting(
            f"{PREFIX}SECRET_KEY is empty: PostgreSQL needs one, the same for every process;"
            " generate it with: openssl rand -hex 32"
        )
    if bool(settings.admin_username) != bool(settings.admin_password):
        raise InvalidSetting(
            f"{PREFIX}ADMIN_USERNAME and {PREFIX}ADMIN_PASSWORD are set together, or neither is"
        )
    return settings


def given_text(given: Mapping[str, str], name: str) -> str:
    """Return the text given for a setting, or its default; DATABASE_URL needs no prefix."""
    default = SETTINGS[name].default
    bare = given.get(name, default) if name == "DATABASE_URL" else default
    return given.get(PREFIX + name, bare)


def check_names(settings: Settings, datasets: list[str], *scheduled: str) -> None:
    """Raise InvalidSetting for an unknown dataset; `scheduled` names have only a schedule."""
    timed = [*datasets, *scheduled]
    named = {
        "DEFAULT_DATASET": ([settings.default_dataset], datasets),
        "MIN_FETCH_INTERVAL": (settings.min_fetch_interval.special, timed),
        "FETCH_EVERY": (settings.fetch_every.special, timed),
        "STALE_AFTER": (settings.stale_after.special, datasets),
    }
    for field, (names, existing) in named.items():
        for name in names:
            if name not in existing:
                known = ", ".join(existing)
                raise InvalidSetting(
                    f"{PREFIX}{field} names {name!r}: expected a dataset; there are: {known}"
                )


def unknown_names(given: Mapping[str, str]) -> list[str]:
    """Return a warning for every unknown name, with the nearest known one."""
    warnings = []
    for name in sorted(given):
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in SETTINGS:
            continue
        near = difflib.get_close_matches(name.removeprefix(PREFIX), SETTINGS, n=1)
        hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        warnings.append(f"{name} is not a setting and has no effect{hint}")
    return warnings


def wide_networks(settings: Settings) -> list[str]:
    """Return a warning for every trusted network that may contain more than proxies."""
    return [
        f"{PREFIX}TRUSTED_PROXIES names {text}: every client in it can claim any address, and so"
        " has no limits; name the addresses of the proxies"
        for text in settings.trusted_proxies
        if (network := ipaddress.ip_network(text, strict=False)).prefixlen
        < _NARROW[network.version]
    ]
