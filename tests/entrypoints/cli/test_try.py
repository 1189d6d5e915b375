"""`catchment try` shows a page of a dataset as it would be read, and stores nothing."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import main


@contextmanager
def serving(body: Any) -> Iterator[str]:
    """Serve one JSON body on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raw = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Keep the terminal clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def tried(tmp_path: Path, body: Any, name: str = "things") -> Result:
    with serving(body) as url:
        file = tmp_path / "own.toml"
        file.write_text(
            f'[datasets.things]\nurl = "{url}"\nkey = "id"\n'
            'fields = { id = "integer", name = "string?" }\n'
        )
        settings = {
            "CATCHMENT_DATASETS": str(file),
            "CATCHMENT_DATABASE_URL": f"sqlite:///{tmp_path / 'c.db'}",
        }
        return CliRunner(env=settings).invoke(main, ["try", name])


def test_records_and_rejections_are_shown(tmp_path: Path) -> None:
    body = [{"id": 1, "name": "a" * 30}, {"id": 2}, {"id": "x"}]
    result = tried(tmp_path, body)

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "things: 2 records on the first page, 1 rejected",
        "  id | name",
        "  1 | " + "a" * 23 + "…",
        "  2 | ",
        "  rejected /2/id: Expected `int`, got `str`",
    ]


def test_a_page_of_good_records_is_a_success(tmp_path: Path) -> None:
    assert tried(tmp_path, [{"id": 1}]).exit_code == 0


@pytest.mark.parametrize(
    ("body", "name", "reason"),
    [
        ({"error": "no"}, "things", "0 records on the first page, 1 rejected"),
        ([{"id": 1}], "nothing", "things"),
        ("text", "things", "a JSON list was expected"),
    ],
)
def test_what_does_not_work_is_said(tmp_path: Path, body: Any, name: str, reason: str) -> None:
    result = tried(tmp_path, body, name)
    assert result.exit_code == 1
    assert reason in result.output
