"""Trying a dataset: one page of each source, and nothing is stored."""

from datetime import timedelta
from typing import Any

import click
import msgspec

from application.ingest.normalise import read
from application.ports.ingest import Ask, Source
from domain.errors import SourceError, UnknownDataset
from domain.reports import Traffic
from entrypoints.cli.rows import row
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running

_WITHIN = timedelta(seconds=60)
_RECORDS = 5
_REJECTIONS = 3


async def try_dataset(settings: Settings, name: str) -> bool:
    """Show the first page of each source of a dataset; return whether all of it can be read."""
    async with running(settings) as container:
        catalogue = container.catalogue()
        known = {dataset.name: dataset for dataset in catalogue.datasets}
        if name not in known:
            raise UnknownDataset.among(known)
        clock = container.clock()
        works = []
        for source in container.sources()[name]:
            ask = Ask(None, clock.now() + _WITHIN, Traffic())
            works.append(await _tried(known[name], source, ask))
        return all(works)


async def _tried(dataset: Any, source: Source[Any], ask: Ask) -> bool:
    try:
        payloads = source.ask(ask)
        async for payload in payloads:
            batch = await read(dataset, source, payload)
            break
        else:
            click.echo(f"{source.name}: the answer has no page")
            return False
    except SourceError as error:
        click.echo(f"{source.name}: {error.detail}")
        return False
    count, bad = len(batch.records), len(batch.rejections)
    click.echo(f"{source.name}: {count} records on the first page, {bad} rejected")
    click.echo("  " + " | ".join(field.name for field in msgspec.structs.fields(dataset.record)))
    for record in batch.records[:_RECORDS]:
        click.echo("  " + row(msgspec.structs.astuple(record)))
    for each in batch.rejections[:_REJECTIONS]:
        click.echo(f"  rejected {each.pointer}: {each.reason}")
    return not bad
