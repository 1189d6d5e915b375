"""Reprocess from the command line: replay the quarantine, or rebuild a dataset."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import click

from application.ingest.fetch import Fetched
from domain.dataset import Role
from domain.payloads import Batch, Payload
from domain.reports import Outcome, SourceReport
from entrypoints.cli.fetch import WatchedSource, counted, print_rejected, progressing, watch
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running
from entrypoints.wiring.container import Container


class ReadSource(WatchedSource):
    """A source that reports every stored payload that is reprocessed."""

    def normalise(self, payload: Payload) -> Batch[Any]:
        """Report the payload, and return the watched source's records of it."""
        self._progress(payload)
        return super().normalise(payload)


async def run_replay(settings: Settings, dataset: str | None) -> bool:
    """Replay one dataset, or all, and print the reports; return False if any failed."""
    async with running(settings) as container:
        async with _watching(container, dataset or "the quarantine"):
            replay = container.replay_quarantine()
            if dataset is not None:
                done = [await replay.dataset(Role.ADMIN, dataset)]
            else:
                done = await replay.everything(Role.ADMIN)
        if not done:
            click.echo("The quarantine is empty.")
        return await _print_all(done, container)


async def run_rebuild(settings: Settings, dataset: str) -> bool:
    """Rebuild a dataset and print the report; return False if it failed."""
    async with running(settings) as container:
        async with _watching(container, dataset):
            done = await container.rebuild_dataset()(Role.ADMIN, dataset)
        return await _print_all([done], container)


async def run_dry_rebuild(settings: Settings, dataset: str) -> bool:
    """Print what a rebuild would change; return False if it would fail."""
    async with running(settings) as container:
        async with _watching(container, dataset):
            report = await container.rebuild_dataset().dry_run(Role.ADMIN, dataset)
        click.echo(f"{dataset}: would be {report.outcome}; nothing was written")
        _print(report.sources)
        return report.outcome is not Outcome.FAILED


@asynccontextmanager
async def _watching(container: Container, what: str) -> AsyncIterator[None]:
    with progressing(f"reprocessing {what}") as progress:
        await watch(container, ReadSource, progress)
        yield


async def _print_all(done: Iterable[Fetched], container: Container) -> bool:
    ok = True
    for fetched in done:
        job = fetched.job
        click.echo(f"{job.dataset}: {fetched.outcome or job.status} (job {job.id})")
        _print(job.report.sources if job.report else ())
        await print_rejected(fetched, container.quarantine())
        ok = ok and fetched.outcome not in (None, Outcome.FAILED)
    return ok


def _print(sources: Iterable[SourceReport]) -> None:
    for source in sources:
        counts = counted(source.counts) or "nothing to read"
        error = f"; {source.error.detail}" if source.error else ""
        click.echo(f"  {source.source}: {counts}{error}")
