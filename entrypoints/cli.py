"""The `catchment` command."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from domain.errors import CatchmentError
from entrypoints import again_commands
from entrypoints import settings as s
from entrypoints.setting_table import SETTINGS
from entrypoints.version import VERSION

_HELP = {"help_option_names": ["-h", "--help"]}


def _plainly(command: Callable[..., Any]) -> Callable[..., Any]:
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


def _settings(given: dict[str, str] | None = None) -> s.Settings:
    from entrypoints.container import DATASETS
    from entrypoints.logs import configure

    given = s.environment() if given is None else given
    read = s.load(given)
    s.check_names(read, [dataset.name for dataset in DATASETS])
    for warning in s.unknown_names(given):
        click.echo(f"warning: {warning}", err=True)
    configure(read.log_level, read.log_format)
    return read


def _kept_in(settings: s.Settings) -> str:
    return str(settings.database_file or s.shown(settings.database_url))


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@click.group(context_settings=_HELP)
@click.version_option(VERSION, prog_name="catchment")
def main() -> None:
    """Gather records from the APIs you rely on, politely, and serve them as one HTTP API.

    Settings come from the environment (CATCHMENT_...) and from .env; `catchment config check`
    shows them all.
    """


@main.command()
@_plainly
def serve() -> None:
    """Serve the API; without a broker, fetch what is asked for and what is due as well."""
    from entrypoints.api import serve as serving
    from entrypoints.container import feed_urls

    settings = _settings()

    def announce(url: str) -> None:
        click.echo(f"Catchment {VERSION} serves {url}, docs at {url}/docs")
        click.echo(f"Records are kept in {_kept_in(settings)}. Ctrl-C stops.")
        if settings.broker_url:
            click.echo(f"Jobs go to the workers at {s.shown(settings.broker_url)}.")
        if not any(feed_urls(settings).values()):
            click.echo("Every source is switched off; `catchment demo` shows one at work.")

    _run(serving(settings, announce))


@main.command()
@_plainly
def worker() -> None:
    """Run the jobs that others ask for; any number of workers may run."""
    from entrypoints.worker import work

    settings = _settings()

    def announce() -> None:
        heard = s.shown(settings.broker_url) or "nobody (there is no broker), so looks for them"
        click.echo(f"Catchment {VERSION} works on {_kept_in(settings)}. Ctrl-C stops.")
        click.echo(f"It hears of jobs from {heard}.")

    _run(work(settings, announce))


@main.command()
@_plainly
def scheduler() -> None:
    """Ask for jobs when their time has come; any number of schedulers may run."""
    from entrypoints.scheduler import keep_schedules

    settings = _settings()

    def announce() -> None:
        click.echo(f"Catchment {VERSION} keeps the schedules in {_kept_in(settings)}.")
        click.echo("Ctrl-C stops.")

    _run(keep_schedules(settings, announce))


@main.command()
@_plainly
def health() -> None:
    """Say whether database and queue can be used; ends with an error when one cannot."""
    from entrypoints.service import looked_at

    report = _run(looked_at(_settings()))
    click.echo(f"database: {report.database}")
    click.echo(f"queue: {report.queue}")
    for source in report.sources:
        last = source.fetched_at.isoformat(timespec="seconds") if source.fetched_at else "never"
        stale = ", stale" if source.stale else ""
        click.echo(f"{source.dataset} from {source.source}: last answered {last}{stale}")
    if not report.works:
        sys.exit(1)


@main.command()
@click.argument("dataset")
@click.option("--force", is_flag=True, help="Fetch even if the last fetch was just now.")
@_plainly
def fetch(dataset: str, force: bool) -> None:
    """Fetch DATASET once, into the database."""
    from entrypoints.fetching import fetch_once

    if not _run(fetch_once(_settings(), dataset, force)):
        sys.exit(1)


@main.command()
@_plainly
def migrate() -> None:
    """Bring the database to what this version expects, as serve and all who work with it do."""
    from entrypoints.service import migrated

    settings = _settings()
    for line in _run(migrated(settings)):
        click.echo(line)
    click.echo(f"{_kept_in(settings)} is up to date.")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8900, show_default=True, help="The port to listen on.")
@click.option("--posts", default=100, show_default=True, help="How many posts it has.")
@_plainly
def upstream(host: str, port: int, posts: int) -> None:
    """Run the sample upstream: it plays JSONPlaceholder, and misbehaves on demand."""
    from entrypoints.upstream import serve as serving

    def announce(url: str) -> None:
        click.echo(f"The sample upstream answers at {url} (the page lists what it can do).")
        click.echo(f"Use it: CATCHMENT_POSTS_URL={url}/posts catchment serve")

    try:
        _run(serving(host, port, posts, announce))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port} ({error.strerror})") from error


@main.command()
@click.option("--once", is_flag=True, help="Leave after showing it.")
@click.option("--port", default=8000, show_default=True, help="The port to serve on.")
@_plainly
def demo(once: bool, port: int) -> None:
    """Show the main job: sample upstream, service and a first fetch; needs no internet."""
    from entrypoints.demo import run

    _run(run(port, once, click.echo))


@main.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@_plainly
def check() -> None:
    """Show every setting that holds, or the first one that cannot be used."""
    from entrypoints.container import feed_urls

    given = s.environment()
    read = _settings(given)
    width = max(map(len, SETTINGS)) + len(s.PREFIX)
    for name, setting in SETTINGS.items():
        text = s.given_text(given, name, setting.default)
        if name == "SECRET_KEY":
            text = "(set)" if text else "(made beside the database)"
        elif name in ("DATABASE_URL", "BROKER_URL"):
            text = s.shown(text)
        click.echo(f"{s.PREFIX + name:{width}}  {text or '(empty)'}")
    for dataset, urls in feed_urls(read).items():
        every = read.fetch_every.of(dataset)
        for url in urls:
            if every is not None:
                month = round(30 * 86400 / every.total_seconds())
                host = urlsplit(url).netloc.rpartition("@")[2]
                click.echo(f"{dataset} asks {host} about {month} times a month.")
        if not urls:
            click.echo(f"{dataset} has no source switched on.")
    click.echo("The settings can be used.")


@config.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@_plainly
def secrets(directory: Path) -> None:
    """Write random passwords for a set of containers into DIRECTORY, unless they are there."""
    from entrypoints.container_secrets import write

    for line in write(directory):
        click.echo(line)


again_commands.add_to(main, _plainly, _settings, _run)


if __name__ == "__main__":
    main()
