"""Commands about declared datasets."""

import sys
from typing import Any

import click

from entrypoints.cli.commands import read_settings, reporting_errors, run


@click.command()
@reporting_errors
def schema() -> None:
    """Print the JSON Schema of declarations, for completion in editors.

    Write it beside the file, and name it on the first line: `#:schema datasets.schema.json`.
    """
    import msgspec

    from domain.blocks import DeclarationsFile

    document = msgspec.json.schema(DeclarationsFile)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())


@click.command()
@click.argument("url")
@click.option("--name", default="", help="The name of the dataset; by default from the URL.")
@click.option("--key", default="", help="The field, or fields with commas, of the key.")
@click.option("--records", default=None, help="The JSON Pointer to the list of records.")
@click.option("--pages", default="", help="none, link, first, or a table as in a block.")
@click.option(
    "--auth", default="", help="bearer, basic:USER, header:NAME or query:NAME, then :env:VAR."
)
@click.option("--file", default="", help="The file to write to.")
@click.option("--sample", default="", help="A saved answer to look at in place of the URL.")
@click.option("--dry-run", is_flag=True, help="Show the block, and write nothing.")
@click.option("--yes", is_flag=True, help="Take what was found, also where it is not sure.")
@reporting_errors
def add(**options: Any) -> None:
    """Look at URL, show what is there and why, and write it down as a dataset.

    The URL is asked four times at the most, politely, and nothing is stored. What is not sure is
    asked for; without a terminal the command ends with 2 and names the options that would answer.
    """
    from entrypoints.cli.add import Wanted
    from entrypoints.cli.add import add as adding

    key = tuple(part.strip() for part in options.pop("key").split(",") if part.strip())
    run(adding(read_settings(), Wanted(key=key, **options)))


@click.command(name="try")
@click.argument("dataset")
@reporting_errors
def try_(dataset: str) -> None:
    """Show the first page of DATASET as it would be read, and store nothing."""
    from entrypoints.cli.try_dataset import try_dataset

    if not run(try_dataset(read_settings(), dataset)):
        sys.exit(1)
