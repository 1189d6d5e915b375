"""Users from the command line: created, disabled, and accepted by the running service."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


def catchment(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on a database of its own."""
    environment = {
        **os.environ,  # noqa: TID251 - tests may ask
        "CATCHMENT_DATABASE_URL": f"sqlite:///{folder}/c.db",
    }
    return subprocess.run(
        [sys.executable, "-m", "entrypoints.cli.main", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def test_an_admin_is_made_given_a_token_and_locked_out(tmp_path: Path) -> None:
    added = catchment(tmp_path, "user", "add", "Ann", "--admin", typed="correct horse\n")
    again = catchment(tmp_path, "user", "add", "ann", typed="correct horse\n")
    token = catchment(tmp_path, "create-token", "ann", "--for", "ci")
    changed = catchment(tmp_path, "user", "password", "ann", typed="battery staple\n")
    disabled = catchment(tmp_path, "user", "disable", "ann")

    assert added.stdout == "Ann can now log in, with the role admin.\n"
    assert again.returncode == 1
    assert "there is a user 'ann' already" in again.stderr
    assert token.stdout.startswith("cat_")
    assert changed.stdout == (
        "ann has the new password, and must log in again. API tokens revoked: 1, for ci.\n"
    )
    assert disabled.stdout.startswith("Ann is disabled")


@pytest.mark.parametrize(
    "options", [("--ttl", "soon"), ("--ttl", "0s"), ("--scope", "everything"), ("--scope", "")]
)
def test_an_impossible_token_is_reported_in_one_line(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    catchment(tmp_path, "user", "add", "ann", typed="correct horse\n")

    made = catchment(tmp_path, "create-token", "ann", *options)

    assert made.returncode
    assert made.stderr.splitlines()[-1].startswith("Error: ")
    assert "expected" in made.stderr
    assert not made.stdout


@pytest.mark.parametrize("typed", ["", "short\n", "password\n"])
def test_an_invalid_password_is_reported_in_one_line(tmp_path: Path, typed: str) -> None:
    added = catchment(tmp_path, "user", "add", "Ann", typed=typed)

    assert (added.returncode, added.stderr.count("\n")) == (1, 1)
    assert "expected" in added.stderr


def test_an_unknown_user_cannot_be_distinguished(tmp_path: Path) -> None:
    for arguments in (("user", "disable", "bob"), ("create-token", "bob")):
        told = catchment(tmp_path, *arguments)

        assert (told.returncode, told.stderr) == (1, "Error: there is no user 'bob'\n")
