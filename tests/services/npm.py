"""Packages of npm's, for the tests that need node."""

import shutil
import subprocess
from pathlib import Path


def node() -> str:
    """Where node is."""
    found = shutil.which("node")
    assert found is not None, "without node this test is not collected"
    return found


def installed(package: str, folder: Path) -> Path:
    """Install `name@version` into a folder, and return where it is then.

    What npm has downloaded once it takes from its own cache.
    """
    npm = shutil.which("npm")
    assert npm is not None, "without npm this test is not collected"
    ended = subprocess.run(
        [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, package],
        check=False,
    )
    assert ended.returncode == 0, "npm could not install it; leave it out with -m 'not node'"
    return folder / "node_modules" / package.partition("@")[0]
