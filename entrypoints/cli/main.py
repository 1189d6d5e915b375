"""The `catchment` command."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.commands import read_settings, reporting_errors, run, storage_of
from entrypoints.cli.dataset_commands import add, schema, try_
from entrypoints.cli.reprocess_commands import rebuild, replay
from entrypoints.cli.user_commands import create_token, restored, sessions, user
from entrypoints.config import settings as s
from entrypoints.config.loading import environment, given_text
from entrypoints.config.redaction import redacted, without_password
from entrypoints.version import VERSION

if TYPE_CHECKING:
    from application.datasets.registry import Generation

_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=_HELP)
@click.version_option(VERSION, prog_name="catchment")
def main() -> None:
    """Fetch records from APIs, store them in a database, and serve them as one HTTP API.

    Settings are read from the environment (CATCHMENT_...) and from .env; `catchment config
    check` shows them all.
    """


@main.command()
@reporting_errors
def serve() -> None:
    """Start the HTTP API. Without a broker, start worker and scheduler as well."""
    from entrypoints.processes.api import serve as serving

    settings = read_settings()

    def announce(url: str, served: "Generation") -> None:
        click.echo(f"Catchment {VERSION} serves {url}, docs at {url}/docs")
        click.echo(f"Records are stored in {storage_of(settings)}. Ctrl-C stops.")
        if settings.broker_url:
            click.echo(
                f"Jobs are announced to workers through {without_password(settings.broker_url)}."
            )
        if not any(fetch.sources for fetch in served.fetches.values()):
            click.echo("Every source is switched off; run `catchment demo` to see one at work.")

    run(serving(settings, announce))


@main.command()
@reporting_errors
def worker() -> None:
    """Start a worker, which runs jobs. Any number of workers may run."""
    from entrypoints.processes.worker import work

    settings = read_settings()

    def announce(metrics: str | None) -> None:
        broker = without_password(settings.broker_url)
        found = f"announced by {broker}" if broker else "found in the database (no broker is set)"
        click.echo(f"Catchment {VERSION} runs jobs of {storage_of(settings)}. Ctrl-C stops.")
        click.echo(f"Jobs are {found}.")
        announce_metrics(metrics)

    run(work(settings, announce))


@main.command()
@reporting_errors
def scheduler() -> None:
    """Start a scheduler, which requests due jobs. Any number of schedulers may run."""
    from entrypoints.processes.scheduler import scheduler

    settings = read_settings()

    def announce(metrics: str | None) -> None:
        click.echo(f"Catchment {VERSION} runs the schedules of {storage_of(settings)}.")
        click.echo("Ctrl-C stops.")
        announce_metrics(metrics)

    run(scheduler(settings, announce))


def announce_metrics(url: str | None) -> None:
    """Print where the metrics of a process are, if they are served."""
    if url:
        click.echo(f"Metrics are at {url}.")


@main.command()
@reporting_errors
def health() -> None:
    """Check the database and the queue. Exit with 1 if one of them is unavailable."""
    from entrypoints.processes.lifecycle import health_of

    report = run(health_of(read_settings()))
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
@click.option("--force", is_flag=True, help="Ignore the minimum interval.")
@reporting_errors
def fetch(dataset: str, force: bool) -> None:
    """Fetch DATASET once."""
    from entrypoints.cli.fetch import fetch_once

    if not run(fetch_once(read_settings(), dataset, force)):
        sys.exit(1)


@main.command()
@reporting_errors
def migrate() -> None:
    """Migrate the database to this version. The other commands do so as well."""
    from entrypoints.processes.lifecycle import migrated

    settings = read_settings()
    for line in run(migrated(settings)):
        click.echo(line)
    click.echo(f"{storage_of(settings)} is up to date.")


@main.command()
@reporting_errors
def prune() -> None:
    """Remove expired rows once. Serve and scheduler do so every hour."""
    from entrypoints.processes.lifecycle import pruned

    for line in run(pruned(read_settings())):
        click.echo(line)


@main.command()
@reporting_errors
def verify() -> None:
    """Read every stored payload back and compare it with its hash. Exit with 1 if one is damaged.

    The records of a damaged payload stay as they are; a rebuild or a replay leaves it out.
    """
    from entrypoints.processes.lifecycle import verified

    checked, damaged = run(verified(read_settings()))
    for receipts in damaged:
        names = ", ".join(map(str, receipts)) or "none"
        click.echo(f"A payload is damaged; its receipts: {names}")
    click.echo(f"{checked} payloads were read back, {len(damaged)} of them are damaged.")
    if damaged:
        sys.exit(1)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8900, show_default=True, help="The port to listen on.")
@click.option("--posts", default=100, show_default=True, help="The number of posts.")
@reporting_errors
def upstream(host: str, port: int, posts: int) -> None:
    """Start the sample upstream. It simulates the APIs and their faults."""
    from entrypoints.sample_upstream import serve as serving
    from entrypoints.sample_upstream import settings_for

    def announce(url: str) -> None:
        click.echo(f"The sample upstream is at {url} (that page lists its features).")
        click.echo("To use it for every source, set this and start `catchment serve`:")
        for name, value in settings_for(url).items():
            click.echo(f"  {name}={value}")

    try:
        run(serving(host, port, posts, announce))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port} ({error.strerror})") from error


@main.command()
@click.option("--once", is_flag=True, help="Exit after the tour.")
@click.option("--port", default=8000, show_default=True, help="The port to serve on.")
@reporting_errors
def demo(once: bool, port: int) -> None:
    """Run a tour with a sample upstream. It needs no internet and keeps nothing."""
    from entrypoints.demo import run as showing

    run(showing(port, once, click.echo))


@main.group()
def config() -> None:
    """Show or generate settings."""


@config.command()
@reporting_errors
def check() -> None:
    """Show every setting, or the first invalid one."""
    from entrypoints.cli.private_hosts import unlisted
    from entrypoints.cli.quota_report import free_plans, monthly_calls
    from entrypoints.wiring.container import Container

    given = environment()
    read = read_settings(given)
    width = max(map(len, s.SETTINGS)) + len(s.PREFIX)
    for name in s.SETTINGS:
        shown = redacted(name, given_text(given, name))
        click.echo(f"{s.PREFIX + name:{width}}  {shown or '(empty)'}")
    registered = Container(settings=read).registry().current
    for line in monthly_calls(registered):
        click.echo(line)
    for line, enough in free_plans(registered):
        click.echo(line if enough else f"warning: {line}", err=not enough)
    for line in unlisted(read, registered):
        click.echo(line, err=True)
    click.echo("The settings are valid.")


@config.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@reporting_errors
def secrets(directory: Path) -> None:
    """Generate secrets for containers in DIRECTORY. Existing ones are kept."""
    from entrypoints.config.secrets import write

    for line in write(directory):
        click.echo(line)


main.add_command(add)
main.add_command(schema)
main.add_command(try_)
main.add_command(user)
main.add_command(sessions)
main.add_command(restored)
main.add_command(create_token)
main.add_command(replay)
main.add_command(rebuild)


if __name__ == "__main__":
    main()
