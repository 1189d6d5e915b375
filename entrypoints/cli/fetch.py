"""One fetch from the command line, with its progress on a terminal."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import click
import msgspec

from application.ingest.fetch import Fetched
from application.ports.ingest import Ask, Quarantine, Source
from domain.dataset import Role
from domain.errors import UnknownDataset
from domain.payloads import Batch, Payload
from domain.reports import Counts, Outcome, SourceReport
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running
from entrypoints.wiring.container import Container

#: The number of rejected records that are shown as examples.
_EXAMPLES = 3

Progress = Callable[[Payload], None]


class WatchedSource(Source[Any]):
    """A source that reports every payload as it arrives."""

    def __init__(self, source: Source[Any], progress: Progress) -> None:
        self._source = source
        self._progress = progress

    @property
    def name(self) -> str:
        """Return the name of the watched source."""
        return self._source.name

    @property
    def host(self) -> str:
        """Return the host of the watched source."""
        return self._source.host

    @property
    def normaliser_version(self) -> str:
        """Return the normaliser version of the watched source."""
        return self._source.normaliser_version

    async def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Yield the payloads of the watched source."""
        async for payload in self._source.ask(ask):
            self._progress(payload)
            yield payload

    def normalise(self, payload: Payload) -> Batch[Any]:
        """Return the watched source's records of the payload."""
        return self._source.normalise(payload)


async def fetch_once(settings: Settings, dataset: str, force: bool) -> bool:
    """Fetch a dataset and print its report; return False when every source failed."""
    async with running(settings) as container:
        names = container.registry().current.catalogue
        if dataset not in names:
            raise UnknownDataset.among(names)
        with progressing(f"fetching {dataset}") as progress:
            await watch(container, WatchedSource, progress)
            fetched = await container.catalogue().fetch(dataset)(Role.ADMIN, force)
        _print(fetched)
        await print_rejected(fetched, container.quarantine())
        return fetched.outcome not in (None, Outcome.FAILED)


async def watch(
    container: Container,
    watched: Callable[[Source[Any], Progress], Source[Any]],
    progress: Progress | None,
) -> None:
    """Replace every source of a container by a watched one, if there is a progress to report to."""
    if progress is None:
        return
    sources = {
        name: [watched(source, progress) for source in given]
        for name, given in container.sources().items()
    }
    container.override_providers(sources=sources)
    await container.registry().replace(container.generation())


@contextmanager
def progressing(doing: str) -> Iterator[Progress | None]:
    """Show the progress on a terminal, the number of pages and their bytes; None without one."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[pages]} pages"),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(doing, total=None, pages=0)
        pages = count(1)

        def report(payload: Payload) -> None:
            shown.update(task, advance=len(payload.body), pages=next(pages))

        yield report


def _print(fetched: Fetched) -> None:
    job = fetched.job
    if job.run_at is not None:
        click.echo(f"{job.dataset}: waits for its source until {job.run_at:%H:%M:%S} UTC")
        return
    if fetched.outcome is Outcome.FRESH:
        click.echo(f"{job.dataset}: fresh; no request was sent. Use --force to fetch anyway.")
        return
    click.echo(f"{job.dataset}: {fetched.outcome or job.status} (job {job.id})")
    for source in job.report.sources if job.report else ():
        click.echo(f"  {source.source}: {_summary(source)}")


def _summary(source: SourceReport) -> str:
    if source.error is not None:
        return f"failed: {source.error.detail}"
    if source.not_modified:
        return f"nothing has changed ({source.requests} requests)"
    counts = counted(source.counts)
    return f"{counts or 'no records'} ({source.requests} requests, {source.bytes} bytes)"


def counted(counts: Counts) -> str:
    """Return the counts above 0 in words."""
    named = msgspec.structs.asdict(counts)
    return ", ".join(f"{number} {name}" for name, number in named.items() if number)


async def print_rejected(fetched: Fetched, quarantine: Quarantine) -> None:
    """Print a few of the records in quarantine, if any were rejected."""
    report = fetched.job.report
    if report is None or not report.counts.quarantined:
        return
    click.echo("  in quarantine, for example:")
    for rejected in reversed(await quarantine.recent(fetched.job.dataset, _EXAMPLES)):
        click.echo(f"    {rejected.pointer}: {rejected.reason}")
