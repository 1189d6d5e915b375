"""nginx, where it is installed: with the configuration of the how-to, on ports of this machine."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

#: Debian puts it where only root's PATH leads.
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"

_AROUND = """
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {server}
}}
"""


def program() -> str | None:
    """Where nginx is, if it is installed."""
    return shutil.which("nginx") or shutil.which("nginx", path=_PLACES)


@asynccontextmanager
async def nginx(server: str, folder: Path) -> AsyncIterator[str]:
    """nginx with this part of a configuration, in which @PORT@ stands for its port; its URL."""
    found = program()
    assert found is not None, "without nginx this test is not collected"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.mkdir(exist_ok=True)
    written = folder / "nginx.conf"
    # Started by root its workers would be somebody else, who may not write here.
    user = "user root;" if os.geteuid() == 0 else ""
    written.write_text(
        _AROUND.format(folder=folder, user=user, server=server.replace("@PORT@", str(port)))
    )
    # As a daemon: the command ends once the port is taken.
    await _run(found, "-p", str(folder), "-c", str(written))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await _run(found, "-p", str(folder), "-c", str(written), "-s", "stop")


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, err.decode()
