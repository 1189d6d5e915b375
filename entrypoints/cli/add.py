"""Adding a dataset: a URL is looked at, and a block is written for it."""

import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click
import msgspec

from adapters.outbound.look import HttpUpstream, SavedUpstream
from adapters.outbound.polite.client import PoliteClient
from application.datasets.suggest import Suggest, Suggestion
from application.ports.datasets import Upstream
from domain.auth_plans import auth_of
from domain.blocks import AuthBlock, PagesBlock
from domain.dataset import is_name
from domain.declarations import declarations_of
from domain.guessed_pages import Block
from domain.strict_reading import InvalidTable, read_strictly
from domain.written_blocks import written_block
from entrypoints.cli.rows import cell, row
from entrypoints.config.declarations import DEFAULT_FILE
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running
from entrypoints.version import VERSION
from entrypoints.wiring.datasets import private_hosts_of

#: The exit status of a command that would have to ask.
UNANSWERED = 2
_ROWS = 5
_MONTH_S = 30 * 86400


class Wanted(NamedTuple):
    """What the command line says of a dataset to add."""

    url: str
    name: str = ""
    key: tuple[str, ...] = ()
    records: str | None = None
    pages: str = ""
    auth: str = ""
    file: str = ""
    sample: str = ""
    dry_run: bool = False
    yes: bool = False


async def add(settings: Settings, wanted: Wanted) -> None:
    """Inspect the URL, show findings and reasons, and write the block; exit if it must ask."""
    auth = _auth(wanted.auth)
    pages = _pages(wanted.pages)
    if wanted.sample:
        found = await _suggest(SavedUpstream(Path(wanted.sample)), wanted, pages)
    else:
        async with running(settings) as container:
            client = PoliteClient(
                container.budget(),
                container.clock(),
                container.random(),
                container.events(),
                container.tracer(),
                allowed_private=settings.allowed_private_hosts | private_hosts_of(wanted.url),
                follow_hosts=settings.follow_hosts,
                user_agent=f"catchment/{VERSION}",
            )
            try:
                signed = [auth_of(auth[1])] if auth else []
                upstream = HttpUpstream(client, container.secrets(), signed)
                found = await _suggest(upstream, wanted, pages)
            finally:
                await client.close()
    _show(found)
    name = wanted.name or _name(wanted.url)
    if not is_name(name):
        raise click.BadParameter(f"{name!r} is not a valid name: use a-z, 0-9 and single _")
    found = _answered(found, wanted)
    block = written_block(
        name,
        url=found.url,
        format=found.format,
        records=found.records,
        pages=found.pages,
        key=found.key,
        fields=found.fields.fields,
        left_out=found.fields.left_out,
        auth=auth[0] if auth else None,
    )
    try:
        declarations_of(tomllib.loads(block))
    except InvalidTable as invalid:
        raise click.ClickException(str(invalid)) from invalid
    click.echo(f"\n{block}")
    _tell_cost(found, settings, name)
    if wanted.dry_run:
        return
    file = _file(settings, wanted)
    _append(file, name, block)
    click.echo(f"Written to {file}. Next: catchment fetch {name}")


async def _suggest(upstream: Upstream, wanted: Wanted, pages: Block | None) -> Suggestion:
    return await Suggest(upstream)(wanted.url, wanted.records, wanted.key, pages)


def _show(found: Suggestion) -> None:
    place = str(found.records.pointer) or "the answer itself"
    click.echo(f"{found.url} ({found.requests} requests, {found.format})")
    click.echo(f"  records  {place}: {found.evidence[0]}")
    click.echo(f"  pages    {_shown(found.pages)}: {found.evidence[1]}")
    key = ", ".join(found.key) or "-"
    why = f": {found.keys[0].evidence}" if found.keys and found.keys[0].name == key else ""
    click.echo(f"  key      {key}{why}")
    for field in found.fields.fields:
        kind = f"{field.type}?" if field.nullable else field.type
        click.echo(f"  field    {field.name} {kind}, such as {cell(field.example)}")
    for each in found.fields.left_out:
        click.echo(f"  left out {each.pointer} {each.reason}")
    names = [field.name for field in found.fields.fields]
    click.echo("  " + " | ".join(names))
    for element in found.elements[:_ROWS]:
        values = [field.pointer.find(element) for field in found.fields.fields]
        click.echo("  " + row(values))


def _shown(pages: Block | None) -> str:
    return "none" if pages is None else msgspec.json.encode(pages).decode()


def _answered(found: Suggestion, wanted: Wanted) -> Suggestion:
    """Return the findings once every question is answered; exit without a terminal."""
    if not found.questions or (wanted.yes and found.key):
        return found
    if not sys.stdin.isatty():
        click.echo("\nThis is not sure; the options in brackets would answer:", err=True)
        for each in found.questions:
            click.echo(f"  {each.text} [{each.option}]", err=True)
        click.echo("  or --yes for all of it", err=True)
        sys.exit(UNANSWERED)
    for each in found.questions:
        if each.option.startswith("--key"):
            key = click.prompt(f"{each.text} Key", default=",".join(found.key) or None)
            found = msgspec.structs.replace(found, key=tuple(key.split(",")))
        elif not click.confirm(each.text, default=True):
            raise click.ClickException(f"nothing was written; say it with {each.option}")
    return found


def _tell_cost(found: Suggestion, settings: Settings, name: str) -> None:
    every = settings.fetch_every.of(name)
    if every is not None:
        a_month = round(_MONTH_S / every.total_seconds())
        paged = "" if found.pages is None else ", for each page"
        click.echo(f"Fetched every {every}: about {a_month} requests a month{paged}.")


# ---------------------------------------------------------------- options


def _auth(text: str) -> tuple[dict[str, Any], AuthBlock] | None:
    """Return how to sign from `KIND[:NAME]:env:VAR` or `…:file:PATH`, as a block says it."""
    if not text:
        return None
    found = re.fullmatch(r"(bearer|basic|header|query)(?::([^:]+))?:(env|file):(.+)", text)
    if found is None or (found[1] == "bearer") == bool(found[2]):
        raise click.BadParameter(
            "expected bearer:env:VAR, basic:USER:env:VAR, header:NAME:env:VAR or"
            " query:NAME:env:VAR, or file:PATH in place of env:VAR; a secret itself is never given",
            param_hint="--auth",
        )
    kind, name, where, place = found.groups()
    secret = {where: place}
    tables: dict[str, dict[str, Any]] = {
        "bearer": {"bearer": secret},
        "basic": {"basic": name, "password": secret},
        "header": {"header": name, "value": secret},
        "query": {"query": name, "value": secret},
    }
    table = tables[kind]
    try:
        block = read_strictly(table, AuthBlock)
        auth_of(block)
    except (InvalidTable, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--auth") from error
    return table, block


def _pages(text: str) -> Block | None:
    """Return pages from the text of an option, in the grammar of a block."""
    if not text:
        return None
    if text in ("none", "link", "first"):
        return text
    try:
        block: dict[str, Any] = tomllib.loads(f"pages = {text}")["pages"]
        read_strictly(block, PagesBlock)
    except (tomllib.TOMLDecodeError, InvalidTable) as error:
        raise click.BadParameter(
            f'expected none, link, first or a table such as {{ number = "page" }}: {error}',
            param_hint="--pages",
        ) from error
    return block


def _name(url: str) -> str:
    """Return a name for the dataset from the last word of the URL's path."""
    parts = [part for part in urlsplit(url).path.split("/") if re.search("[A-Za-z]", part)]
    last = parts[-1] if parts else urlsplit(url).hostname or "dataset"
    name = re.sub(r"[^a-z0-9]+", "_", last.rpartition(".")[0].lower() or last.lower()).strip("_")
    return (name if name[:1].isalpha() else f"d_{name}")[:31].strip("_") or "dataset"


# ---------------------------------------------------------------- the file


def _file(settings: Settings, wanted: Wanted) -> Path:
    given = Path(wanted.file or settings.datasets or DEFAULT_FILE)
    return given / DEFAULT_FILE if given.is_dir() else given


def _append(file: Path, name: str, block: str) -> None:
    """Add the block at the end of the file, at once or not at all."""
    there = file.read_text(encoding="utf-8") if file.exists() else ""
    if name in tomllib.loads(there).get("datasets", {}):
        raise click.ClickException(f"{file} has a dataset {name} already; choose another --name")
    separator = "\n" if there and not there.endswith("\n\n") else ""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
    ) as fresh:
        fresh.write(f"{there}{separator}{block}")
        fresh.flush()
        os.fsync(fresh.fileno())
    Path(fresh.name).chmod(file.stat().st_mode if file.exists() else 0o644)
    Path(fresh.name).replace(file)
