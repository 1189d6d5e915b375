"""Commands about declared datasets."""

import click

from entrypoints.cli.commands import reporting_errors


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
