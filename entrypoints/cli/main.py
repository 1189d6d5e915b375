"""The `catchment` command."""

import sys
from pathlib import Path

import click

from entrypoints.cli.commands import kept_in, plainly, read_settings, run
from entrypoints.cli.reprocess import rebuild, replay
from entrypoints.cli.user_commands import create_token, user
from entrypoints.config import settings as s
from entrypoints.config.redaction import redacted, without_password
from entrypoints.version import VERSION

_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=_HELP)
@click.version_option(VERSION, prog_name="catchment")
def main() -> None:
    """Gather records from the APIs you rely on, politely, and serve them as one HTTP API.

    Settings come from the environment (CATCHMENT_...) and from .env; `catchment config check`
    shows them all.
    """


@main.command()
@plainly
def serve() -> None:
    """Serve the API; without a broker, fetch what is asked for and what is due as well."""
    from entrypoints.processes.api import serve as serving
    from entrypoints.wiring.container import feed_urls

    settings = read_settings()

    def announce(url: str) -> None:
        click.echo(f"Catchment {VERSION} serves {url}, docs at {url}/docs")
        click.echo(f"Records are kept in {kept_in(settings)}. Ctrl-C stops.")
        if settings.broker_url:
            click.echo(f"Jobs go to the workers at {without_password(settings.broker_url)}.")
        if not any(feed_urls(settings).values()):
            click.echo("Every source is switched off; `catchment demo` shows one at work.")

    run(serving(settings, announce))


@main.command()
@plainly
def worker() -> None:
    """Run the jobs that others ask for; any number of workers may run."""
    from entrypoints.processes.worker import work

    settings = read_settings()

    def announce() -> None:
        heard = (
            without_password(settings.broker_url)
            or "nobody (there is no broker), so looks for them"
        )
        click.echo(f"Catchment {VERSION} works on {kept_in(settings)}. Ctrl-C stops.")
        click.echo(f"It hears of jobs from {heard}.")

    run(work(settings, announce))


@main.command()
@plainly
def scheduler() -> None:
    """Ask for jobs when their time has come; any number of schedulers may run."""
    from entrypoints.processes.scheduler import scheduler

    settings = read_settings()

    def announce() -> None:
        click.echo(f"Catchment {VERSION} keeps the schedules in {kept_in(settings)}.")
        click.echo("Ctrl-C stops.")

    run(scheduler(settings, announce))


@main.command()
@plainly
def health() -> None:
    """Say whether database and queue can be used; ends with an error when one cannot."""
    from entrypoints.processes.lifecycle import looked_at

    report = run(looked_at(read_settings()))
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
@plainly
def fetch(dataset: str, force: bool) -> None:
    """Fetch DATASET once, into the database."""
    from entrypoints.cli.fetch import fetch_once

    if not run(fetch_once(read_settings(), dataset, force)):
        sys.exit(1)


@main.command()
@plainly
def migrate() -> None:
    """Bring the database to what this version expects, as serve and all who work with it do."""
    from entrypoints.processes.lifecycle import migrated

    settings = read_settings()
    for line in run(migrated(settings)):
        click.echo(line)
    click.echo(f"{kept_in(settings)} is up to date.")


@main.command()
@plainly
def prune() -> None:
    """Remove what is old enough, as serve or scheduler do by themselves once an hour."""
    from entrypoints.processes.lifecycle import pruned

    for line in run(pruned(read_settings())):
        click.echo(line)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8900, show_default=True, help="The port to listen on.")
@click.option("--posts", default=100, show_default=True, help="How many posts it has.")
@plainly
def upstream(host: str, port: int, posts: int) -> None:
    """Run the sample upstream: it plays the APIs that are asked, and misbehaves on demand."""
    from entrypoints.upstream import serve as serving
    from entrypoints.upstream import settings_for

    def announce(url: str) -> None:
        click.echo(f"The sample upstream answers at {url} (the page lists what it can do).")
        click.echo("To ask it for everything, set this and start `catchment serve`:")
        for name, value in settings_for(url).items():
            click.echo(f"  {name}={value}")

    try:
        run(serving(host, port, posts, announce))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port} ({error.strerror})") from error


@main.command()
@click.option("--once", is_flag=True, help="Leave after showing it.")
@click.option("--port", default=8000, show_default=True, help="The port to serve on.")
@plainly
def demo(once: bool, port: int) -> None:
    """Show the main job: sample upstream, service and a first fetch; needs no internet."""
    from entrypoints.demo import run as showing

    run(showing(port, once, click.echo))


@main.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@plainly
def check() -> None:
    """Show every setting that holds, or the first one that cannot be used."""
    from entrypoints.cli.quota_report import calls_told, plans_told

    given = s.environment()
    read = read_settings(given)
    width = max(map(len, s.SETTINGS)) + len(s.PREFIX)
    for name in s.SETTINGS:
        shown = redacted(name, s.given_text(given, name))
        click.echo(f"{s.PREFIX + name:{width}}  {shown or '(empty)'}")
    for line in calls_told(read):
        click.echo(line)
    for line, enough in plans_told(read):
        click.echo(line if enough else f"warning: {line}", err=not enough)
    click.echo("The settings can be used.")


@config.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@plainly
def secrets(directory: Path) -> None:
    """Write random passwords for a set of containers into DIRECTORY, unless they are there."""
    from entrypoints.config.secrets import write

    for line in write(directory):
        click.echo(line)


main.add_command(user)
main.add_command(create_token)
main.add_command(replay)
main.add_command(rebuild)


if __name__ == "__main__":
    main()
