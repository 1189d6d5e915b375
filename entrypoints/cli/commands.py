"""Steps of every command: read the settings, run, and report errors in one line."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import click

from domain.errors import CatchmentError
from domain.tasks import TASKS
from entrypoints.config import loading
from entrypoints.config import settings as s
from entrypoints.config.declarations import InvalidDeclarations
from entrypoints.config.redaction import without_password


def reporting_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Report an expected error of a command in one line instead of a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (s.InvalidSetting, InvalidDeclarations, CatchmentError) as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(130)

    return run


def read_settings(given: dict[str, str] | None = None) -> s.Settings:
    """Return the settings of the environment, or the given ones; warn of probable mistakes."""
    from adapters.system.logs import configure
    from entrypoints.wiring.datasets import SHIPPED, declarations_of

    given = loading.environment() if given is None else given
    read = loading.load(given)
    shipped = [line.dataset.name for line in SHIPPED]
    loading.check_names(read, [*shipped, *declarations_of(read).datasets], TASKS.name)
    for warning in (*loading.unknown_names(given), *loading.wide_networks(read)):
        click.echo(f"warning: {warning}", err=True)
    configure(read.log_level, read.log_format)
    return read


def storage_of(settings: s.Settings) -> str:
    """Return the database's file or URL, without its password."""
    return str(settings.database_file or without_password(settings.database_url))


def ignore_hang_ups() -> None:
    """Ignore SIGHUP in a process without a terminal: it does not mean that its user has left."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a command's coroutine to its end, on uvloop where available."""
    ignore_hang_ups()
    try:
        import uvloop
    except ImportError:  # not available on Windows
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
