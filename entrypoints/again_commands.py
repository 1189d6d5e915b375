"""The commands that read again what was kept: `catchment replay` and `catchment rebuild`."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click

from entrypoints.settings import Settings


def add_to(
    main: click.Group,
    plainly: Callable[[Callable[..., Any]], Callable[..., Any]],
    settings: Callable[[], Settings],
    run: Callable[[Coroutine[Any, Any, bool]], bool],
) -> None:
    """Give the program these commands; they end, read the settings and run as its others do."""

    @main.command()
    @click.argument("dataset", required=False)
    @plainly
    def replay(dataset: str | None) -> None:
        """Read again what waits in quarantine, of DATASET or of all; no upstream is asked."""
        from entrypoints.again import replayed

        if not run(replayed(settings(), dataset)):
            sys.exit(1)

    @main.command()
    @click.argument("dataset")
    @click.option("--dry-run", is_flag=True, help="Only say what would change.")
    @plainly
    def rebuild(dataset: str, dry_run: bool) -> None:
        """Read again all that was kept of DATASET; no upstream is asked."""
        from entrypoints.again import rebuilt, rehearsed

        if not run((rehearsed if dry_run else rebuilt)(settings(), dataset)):
            sys.exit(1)
