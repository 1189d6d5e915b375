"""`catchment verify` reads every payload back, and says which are damaged."""

import sqlite3
from pathlib import Path

from click.testing import CliRunner, Result

from adapters.memory.ingest import MemorySource
from adapters.memory.system import SteerableClock
from domain.builtin.posts import Post
from entrypoints.cli.commands import run
from entrypoints.cli.main import main
from entrypoints.config.loading import load
from entrypoints.processes.lifecycle import running


async def _fetched(settings: dict[str, str]) -> None:
    source = MemorySource("sample", Post, SteerableClock(), [Post(1, 1, "a title", "a body")])
    async with running(load(settings), sources={"posts": [source]}) as container:
        await container.fetch_posts()()


def verify(path: Path) -> Result:
    env = {"CATCHMENT_DATABASE_URL": f"sqlite:///{path}"}
    return CliRunner(env=env).invoke(main, ["verify"])


def test_payloads_are_counted_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    run(_fetched({"CATCHMENT_DATABASE_URL": f"sqlite:///{path}"}))

    sound = verify(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE payload_chunks SET data = zeroblob(3)")
    connection.close()
    damaged = verify(path)

    assert (sound.exit_code, damaged.exit_code) == (0, 1)
    assert sound.output == "1 payloads were read back, 0 of them are damaged.\n"
    assert damaged.output.splitlines() == [
        "A payload is damaged; its receipts: 1",
        "1 payloads were read back, 1 of them are damaged.",
    ]
