"""wrk: the program that makes the load; on Debian and Ubuntu it is had without installing it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_PACKAGES = ("wrk", "libluajit-5.1-2")
_MISSING = """wrk makes the load, is not installed, and cannot be had from here. It is a package:
on Debian and Ubuntu apt-get install wrk, on Fedora dnf install wrk, on macOS brew install wrk."""


def find_wrk(cache: Path) -> None:
    """Add `wrk` to the PATH, or exit and say how to get it."""
    if shutil.which("wrk"):
        return
    folder = cache / "wrk"
    if not (folder / "usr" / "bin" / "wrk").exists():
        _unpack(folder)
    libraries = [str(path) for path in (folder / "usr" / "lib").glob("*")]
    environment = os.environ  # noqa: TID251 - programs are found by it
    environment["PATH"] += f"{os.pathsep}{folder / 'usr' / 'bin'}"
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)


def _unpack(folder: Path) -> None:
    if not shutil.which("apt-get"):
        sys.exit(_MISSING)
    print(f"fetching wrk into {folder}, once ...", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(
        ["apt-get", "download", *_PACKAGES], cwd=folder, capture_output=True, check=False
    )
    if fetched.returncode:
        sys.exit(_MISSING)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
