"""Random secrets for the services of a compose file, written once and never shown."""

import os
import secrets
from pathlib import Path

_USER = "catchment"


def write(directory: Path) -> list[str]:
    """Write the files of each service, unless they exist; return a line for the operator.

    `app/.env` holds the settings of Catchment, `postgres/password` and `rabbitmq/*.conf` the
    passwords of these two. The three files belong together: they contain the same passwords.
    """
    settings = directory / "app" / ".env"
    if settings.exists():
        return ["The secrets exist already; nothing was changed."]
    database, broker = secrets.token_hex(24), secrets.token_hex(24)
    # The settings come last and mark the set as complete: an interrupted start begins again.
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
    return ["New secrets were generated."]


def _put(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    # The services that read it run as other users; no other process can reach the volume.
    fresh.chmod(0o644)
    fresh.replace(path)
