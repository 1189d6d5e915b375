"""The commands that read again what was kept: `catchment replay` and `catchment rebuild`."""

import sys

import click

from entrypoints.cli.commands import plainly, read_settings, run


@click.command()
@click.argument("dataset", required=False)
@plainly
def replay(dataset: str | None) -> None:
    """Read again what waits in quarantine, of DATASET or of all; no upstream is asked."""
    from entrypoints.cli.reprocess import replayed

    if not run(replayed(read_settings(), dataset)):
        sys.exit(1)


@click.command()
@click.argument("dataset")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@plainly
def rebuild(dataset: str, dry_run: bool) -> None:
    """Read again all that was kept of DATASET; no upstream is asked."""
    from entrypoints.cli.reprocess import rebuilt, rehearsed

    if not run((rehearsed if dry_run else rebuilt)(read_settings(), dataset)):
        sys.exit(1)
