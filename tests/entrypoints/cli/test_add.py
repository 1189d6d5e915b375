"""`catchment add` shows what it found and why, writes a block, and never asks a program."""

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import main

URL = "https://api.example.com/v1/things"
GOOD = [{"id": n, "name": f"name {n}", "at": "2026-01-01T00:00:00Z"} for n in range(23)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with chdir(tmp_path):
        yield tmp_path


def add(folder: Path, body: Any, *options: str) -> Result:
    sample = folder / "answer"
    sample.write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
    given = ["add", URL, "--sample", str(sample), *options]
    return CliRunner(env={"CATCHMENT_DATASETS": ""}).invoke(main, given)


def test_a_block_is_written_with_its_evidence_shown(folder: Path) -> None:
    result = add(folder, GOOD)

    assert result.exit_code == 0, result.output
    assert "records  the answer itself: the answer is a list" in result.output
    assert "key      id: unique and present in all 23 records seen" in result.output
    assert "0 | name 0 | 2026-01-01T00:00:00Z" in result.output
    assert "about 2880 requests a month" in result.output
    assert "Written to datasets.toml. Next: catchment fetch things" in result.output
    block = tomllib.loads((folder / "datasets.toml").read_text())["datasets"]["things"]
    assert block == {
        "url": URL,
        "key": "id",
        "fields": {"id": "integer", "name": "string", "at": "datetime"},
    }


def test_a_second_block_leaves_the_file_as_it_was(folder: Path) -> None:
    add(folder, GOOD)
    file = folder / "datasets.toml"
    file.write_text("# mine\n" + file.read_text())
    file.chmod(0o600)
    before = file.read_text()

    assert add(folder, GOOD, "--name", "others", "--key", "id, name").exit_code == 0
    assert file.read_text().startswith(before + "\n[datasets.others]")
    assert 'key = ["id", "name"]' in file.read_text()
    assert os.stat(file).st_mode & 0o777 == 0o600
    again = add(folder, GOOD, "--name", "others")
    assert again.exit_code == 1
    assert "has a dataset others already" in again.output
    assert sorted(each.name for each in folder.iterdir()) == ["answer", "datasets.toml"]


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    result = add(folder, GOOD, "--dry-run")
    assert "[datasets.things]" in result.output
    assert not (folder / "datasets.toml").exists()


def test_another_file_can_be_named(folder: Path) -> None:
    assert add(folder, GOOD, "--file", "own.toml").exit_code == 0
    assert (folder / "own.toml").exists()


def test_a_program_is_never_prompted_and_gets_the_options_that_answer(folder: Path) -> None:
    result = add(folder, GOOD[:3])
    assert result.exit_code == 2
    assert "does id identify a record?" in result.output
    assert "[--key id]" in result.output
    assert not (folder / "datasets.toml").exists()
    assert add(folder, GOOD[:3], "--key", "id").exit_code == 0


def test_yes_takes_what_was_found(folder: Path) -> None:
    assert add(folder, GOOD[:3], "--yes").exit_code == 0
    no_key = add(folder, [{"a": 1}, {"a": 1}], "--yes", "--name", "b")
    assert no_key.exit_code == 2
    assert "which do? [--key FIELD,FIELD]" in no_key.output


@pytest.mark.parametrize(
    ("option", "written"),
    [
        ("bearer:env:KEY", {"bearer": {"env": "KEY"}}),
        ("basic:ann:file:/run/pw", {"basic": "ann", "password": {"file": "/run/pw"}}),
        ("header:X-Key:env:KEY", {"header": "X-Key", "value": {"env": "KEY"}}),
        ("query:key:env:KEY", {"query": "key", "value": {"env": "KEY"}}),
    ],
)
def test_auth_is_written_as_a_reference(folder: Path, option: str, written: Any) -> None:
    assert add(folder, GOOD, "--auth", option).exit_code == 0
    block = tomllib.loads((folder / "datasets.toml").read_text())["datasets"]["things"]
    assert block["auth"] == written


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--auth", "bearer:sk_live_abc", "a secret itself is never given"),
        ("--auth", "bearer:ann:env:KEY", "expected bearer:env:VAR"),
        ("--auth", "bearer:env:CATCHMENT_X", "is a setting, and no secret"),
        ("--pages", "all", "expected none, link, first or a table"),
        ("--pages", "{ page = 1 }", "unknown key"),
        ("--records", "/nowhere", "the answer has no records at '/nowhere'"),
        ("--key", "nothing", "no sortable field 'nothing'"),
        ("--name", "a b", "'a b' is not a valid name"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(
    folder: Path, option: str, value: str, reason: str
) -> None:
    result = add(folder, GOOD, option, value)
    assert result.exit_code in (1, 2)
    assert reason in result.output.replace("\n", " ")
    assert not (folder / "datasets.toml").exists()


@pytest.mark.parametrize(
    ("body", "format"),
    [
        (b"".join(json.dumps(each).encode() + b"\n" for each in GOOD), "ndjson"),
        (b"id;name\n" + b"".join(b"%d;name %d\n" % (n, n) for n in range(23)), "csv"),
    ],
)
def test_other_formats_are_known_by_their_look(folder: Path, body: bytes, format: str) -> None:
    assert add(folder, body).exit_code == 0
    block = tomllib.loads((folder / "datasets.toml").read_text())["datasets"]["things"]
    assert block["format"] == format
    assert block["fields"]["id"] == "integer"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "an HTML page or XML"),
        (b"[1", "no valid JSON"),
        (b"hello", "no JSON, NDJSON or CSV"),
        ([], "ask again when there is a record"),
    ],
)
def test_what_holds_no_records_is_refused(folder: Path, body: Any, reason: str) -> None:
    result = add(folder, body)
    assert result.exit_code == 1
    assert reason in result.output
