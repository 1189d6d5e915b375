"""Asks Alembic what to do, and leaves the doing to a connection that is ours."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def steps(revision: str | None, head: str, engine: str) -> list[str]:
    """The statements that lead from a revision, or from nothing, to another one."""
    written = _Statements()
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes.update(engine=engine, steps=written)
    command.upgrade(config, f"{revision or 'base'}:{head}", sql=True)
    return written.all


class _Statements:
    """Takes what Alembic writes, which is one statement or one comment at a time."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def write(self, text: str) -> None:
        """Keep a statement."""
        statement = text.strip().removesuffix(";")
        if not statement.startswith("--"):
            self.all.append(statement)

    def flush(self) -> None:
        """Nothing waits."""
