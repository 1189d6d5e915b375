"""Commands to replay the quarantine and to rebuild a dataset.

They are apart from `reprocess`, so that `catchment --help` does not load the whole program.
"""

import sys

import click

from entrypoints.cli.commands import read_settings, reporting_errors, run


@click.command()
@click.argument("dataset", required=False)
@reporting_errors
def replay(dataset: str | None) -> None:
    """Replay rejected records, of DATASET or of all. No request is sent."""
    from entrypoints.cli.reprocess import run_replay

    if not run(run_replay(read_settings(), dataset)):
        sys.exit(1)


@click.command()
@click.argument("dataset")
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@reporting_errors
def rebuild(dataset: str, dry_run: bool) -> None:
    """Rebuild DATASET from its stored payloads. No request is sent."""
    from entrypoints.cli.reprocess import run_dry_rebuild, run_rebuild

    if not run((run_dry_rebuild if dry_run else run_rebuild)(read_settings(), dataset)):
        sys.exit(1)
