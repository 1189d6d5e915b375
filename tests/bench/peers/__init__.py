"""Peers: other programs for the same purpose, measured in the same run.

Each is installed, with pinned versions, into a folder of its own below the cache, outside this
project's environment. A peer that cannot be installed is left out with a message.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.databases import file_of, run
from tests.bench.processes import Running, running

if TYPE_CHECKING:
    from tests.bench.bench import Bench

HERE = Path(__file__).parent


class Peer(NamedTuple):
    """A peer that serves posts, and the path of those of one user."""

    name: str
    server: Running
    path: str
    users: int


def reading(bench: "Bench", engine: str, url: str, stack: ExitStack) -> Iterator[Peer]:
    """Start the peers that serve this database, until the stack is closed."""
    users = bench.scale.posts // 10
    if (fastapi := program(bench, "fastapi")) is not None:
        command = [fastapi / "bin" / "python", HERE / "orm.py", url, "PORT"]
        server = stack.enter_context(running(command, {}, bench.folder, "/data?user_id=1"))
        yield Peer("FastAPI + ORM", server, "/data?user_id=", users)
    if engine != "sqlite":
        return
    if (datasette := program(bench, "datasette")) is not None:
        command = [datasette / "bin" / "datasette", "serve", file_of(url), "-p", "PORT"]
        server = stack.enter_context(running(command, {}, bench.folder))
        yield Peer("Datasette", server, f"/{file_of(url).stem}/d_posts.json?user_id=", users)
    if (modules := program(bench, "json_server")) is not None:
        few = min(10_000, bench.scale.posts)
        command = [modules / "node_modules" / ".bin" / "json-server", _as_json(bench, url, few)]
        command += ["-p", "PORT", "--quiet"]
        server = stack.enter_context(running(command, {}, bench.folder, "/posts/1"))
        yield Peer(f"json-server, {few} records", server, "/posts?user_id=", few // 10)


def _as_json(bench: "Bench", url: str, few: int) -> Path:
    file = bench.folder / "posts.json"
    one = "json_object('id', id, 'user_id', user_id, 'title', title, 'body', body)"
    listed = (
        f"SELECT json_group_array(json(one)) FROM (SELECT {one} AS one FROM d_posts LIMIT {few})"
    )
    [[[posts]]] = run(url, listed)
    file.write_text(f'{{"posts": {posts}}}')
    return file


# ---------------------------------------------------------------- installation


def program(bench: "Bench", name: str) -> Path | None:
    """Return the folder of a peer, installed on demand; None, with a message, if that fails."""
    pinned = (HERE / f"{name}.txt").read_text()
    version = hashlib.blake2b(f"{pinned}{sys.version}".encode(), digest_size=6).hexdigest()
    folder = bench.cache / f"{name}-{version}"
    if (folder / "complete").exists():
        return folder
    if name in bench.missing:
        return None
    bench.say(f"installing {name} into {folder.name}, once ...")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    problem = _install(name, folder)
    if problem is None:
        (folder / "complete").touch()
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    bench.missing[name] = problem
    bench.say(f"{name} cannot be had, so its rows are left out: {problem}")
    return None


def _install(name: str, folder: Path) -> str | None:
    """Install a peer, and return the error in one line, if any."""
    if name == "json_server":
        if not shutil.which("npm"):
            return "npm is not installed"
        [package] = (HERE / "json_server.txt").read_text().split()
        return _failure("npm", "install", "--no-audit", "--no-fund", "--prefix", folder, package)
    if problem := _failure(sys.executable, "-m", "venv", folder):
        return problem
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    return _failure(*pip, "--disable-pip-version-check", "-r", HERE / f"{name}.txt")


def _failure(*command: str | Path) -> str | None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode == 0:
        return None
    said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
    return said[-1][:200]
