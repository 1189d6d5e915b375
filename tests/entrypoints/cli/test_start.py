"""The command starts quickly: unneeded modules are not loaded."""

import subprocess
import sys

#: What takes the longest to load, and no command needs for its own description.
HEAVY = ("litestar", "sqlalchemy", "httpx", "entrypoints.wiring.container")
PROGRAM = f"""
import sys, entrypoints.cli.main
print(*(set({HEAVY}) & sys.modules.keys()))
"""


def test_the_commands_are_described_without_loading_what_they_run() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []
