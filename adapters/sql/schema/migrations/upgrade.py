"""Alembic's offline mode: its statements run on a connection of ours."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def steps(revision: str | None, head: str, engine: str) -> list[str]:
    """Return the statements that migrate from one revision, or from none, to another."""
    output = _Statements()
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes.update(engine=engine, steps=output)
    command.upgrade(config, f"{revision or 'base'}:{head}", sql=True)
    return output.all


class _Statements:
    """An output stream for Alembic, which writes one statement or comment at a time."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def write(self, text: str) -> None:
        """Keep a statement, skip a comment."""
        statement = text.strip().removesuffix(";")
        if not statement.startswith("--"):
            self.all.append(statement)

    def flush(self) -> None:
        """Do nothing, since nothing is buffered."""
