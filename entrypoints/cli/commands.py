"""What every command of the command line does: read the settings, run, and end plainly."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import click

from domain.errors import CatchmentError
from domain.tasks import TASKS
from entrypoints.config import settings as s
from entrypoints.config.redaction import without_password


def plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """End a command with one clear line instead of a traceback."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (s.InvalidSetting, CatchmentError) as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(130)

    return run


def read_settings(given: dict[str, str] | None = None) -> s.Settings:
    """The settings of the environment, or those given; warns of what is no setting."""
    from adapters.system.logs import configure
    from entrypoints.wiring.container import DATASETS

    given = s.environment() if given is None else given
    read = s.load(given)
    s.check_names(read, [dataset.name for dataset in DATASETS], TASKS.name)
    for warning in s.unknown_names(given):
        click.echo(f"warning: {warning}", err=True)
    configure(read.log_level, read.log_format)
    return read


def kept_in(settings: s.Settings) -> str:
    """Where records are kept, fit for a screen."""
    return str(settings.database_file or without_password(settings.database_url))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end what a command has to do."""
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
