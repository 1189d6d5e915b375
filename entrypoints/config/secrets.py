"""Random secrets for the services of a compose file, written once and never shown."""

import os
import secrets
from pathlib import Path

_USER = "catchment"


def write(directory: Path) -> list[str]:
    """Write what each service reads, unless it is there already; says what was done.

    `app/.env` holds our own settings, `postgres/password` and `rabbitmq/*.conf` what those two
    expect. The three change together: they hold the same passwords.
    """
    settings = directory / "app" / ".env"
    if settings.exists():
        return ["The secrets are there already; nothing was changed."]
    database, broker = secrets.token_hex(24), secrets.token_hex(24)
    # Last the file that says that all is done: a start that was broken off begins anew.
    _put(directory / "postgres" / "password", database)
    _put(
        directory / "rabbitmq" / "20-catchment.conf",
        f"default_user = {_USER}\ndefault_pass = {broker}\nlog.console = true\n",
    )
    _put(
        settings,
        f"CATCHMENT_DATABASE_URL=postgresql://{_USER}:{database}@postgres/{_USER}\n"
        f"CATCHMENT_BROKER_URL=amqp://{_USER}:{broker}@rabbitmq/\n"
        f"CATCHMENT_SECRET_KEY={secrets.token_hex(32)}\n",
    )
    return ["New secrets were written."]


def _put(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    # The services that read it run as other users; nobody else can reach the volume.
    fresh.chmod(0o644)
    fresh.replace(path)
