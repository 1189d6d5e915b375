"""One fetch from the command line, with its progress on a terminal."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from application.fetch import Fetched
from application.ports.source import Ask, Source
from application.ports.store import Quarantine
from domain.dataset import Role
from domain.errors import UnknownDataset
from domain.payloads import Batch, Payload
from domain.reports import Outcome, SourceReport
from entrypoints.container import DATASETS
from entrypoints.service import running
from entrypoints.settings import Settings

#: So many rejected records are shown as examples.
_EXAMPLES = 3

Progress = Callable[[Payload], None]


class WatchedSource(Source[Any]):
    """A source that tells of every payload as it comes."""

    def __init__(self, source: Source[Any], progress: Progress) -> None:
        self._source = source
        self._progress = progress

    @property
    def name(self) -> str:
        """The name of the watched source."""
        return self._source.name

    @property
    def host(self) -> str:
        """The host of the watched source."""
        return self._source.host

    @property
    def normaliser(self) -> str:
        """The normaliser of the watched source."""
        return self._source.normaliser

    async def ask(self, ask: Ask) -> AsyncIterator[Payload]:
        """Ask the watched source."""
        async for payload in self._source.ask(ask):
            self._progress(payload)
            yield payload

    def normalise(self, payload: Payload) -> Batch[Any]:
        """Let the watched source read the payload."""
        return self._source.normalise(payload)


async def fetch_once(settings: Settings, dataset: str, force: bool) -> bool:
    """Fetch a dataset and print what became of it; False when every source failed."""
    names = [known.name for known in DATASETS]
    if dataset not in names:
        raise UnknownDataset(f"there is no dataset {dataset!r}; there are: {', '.join(names)}")
    async with running(settings) as container:
        with _progress(dataset) as progress:
            watched = {
                name: [WatchedSource(source, progress) for source in sources]
                for name, sources in container.sources().items()
            }
            container.override_providers(sources=watched)
            fetched = await container.catalogue().fetch(dataset)(Role.ADMIN, force)
        _print(fetched)
        await _print_rejected(fetched, container.quarantine())
        return fetched.outcome not in (None, Outcome.FAILED)


@contextmanager
def _progress(dataset: str) -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield lambda payload: None
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
        task = shown.add_task(f"fetching {dataset}", total=None, pages=0)

        def arrived(payload: Payload) -> None:
            shown.update(task, advance=len(payload.body), pages=payload.page + 1)

        yield arrived


def _print(fetched: Fetched) -> None:
    job = fetched.job
    if job.run_at is not None:
        click.echo(f"{job.dataset}: waits for its source until {job.run_at:%H:%M:%S} UTC")
        return
    if fetched.outcome is Outcome.FRESH:
        click.echo(f"{job.dataset}: fresh; nothing was asked. --force asks all the same.")
        return
    click.echo(f"{job.dataset}: {fetched.outcome or job.status} (job {job.id})")
    for source in job.report.sources if job.report else ():
        click.echo(f"  {source.source}: {_told(source)}")


def _told(source: SourceReport) -> str:
    if source.error is not None:
        return f"failed: {source.error.detail}"
    if source.not_modified:
        return f"nothing has changed ({source.requests} requests)"
    counts = msgspec.structs.asdict(source.counts)
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"{told or 'no records'} ({source.requests} requests, {source.bytes} bytes)"


async def _print_rejected(fetched: Fetched, quarantine: Quarantine) -> None:
    report = fetched.job.report
    if report is None or not report.counts.quarantined:
        return
    click.echo("  in quarantine, for example:")
    for rejected in reversed(await quarantine.recent(fetched.job.dataset, _EXAMPLES)):
        click.echo(f"    {rejected.pointer}: {rejected.reason}")
