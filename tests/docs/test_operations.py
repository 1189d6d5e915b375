"""Pages for operators: the named commands exist, and the SQL works."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from entrypoints.cli.main import main
from tests.docs.markdown import DOCS, PAGES, ROOT, Block, blocks, named

PRODUCTION = DOCS / "how-to" / "run-in-production.md"
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
#: `docker compose [--profile X] VERB [options] SERVICE ...`, as far as the pages use it.
VERB = re.compile(r"docker compose (?:--profile (\w+) )?(\w+)((?: [^|<>;\n]+)?)")
TAKES_VALUE = frozenset({"--scale", "--index", "--since"})
ALL = frozenset({"up", "down", "build"})
SHELL = [(page, block) for page in PAGES for block in blocks(page, "sh")]


def identity(value: Path | Block) -> str:
    """Return a block by its page and first line."""
    return named(value) if isinstance(value, Path) else value.text.splitlines()[0]


def words(arguments: str) -> list[str]:
    """Return the arguments that are no options, and no values of options."""
    found, passed_over = [], False
    for word in arguments.split():
        if passed_over:
            passed_over = False
        elif word.startswith("-"):
            passed_over = word in TAKES_VALUE
        else:
            found.append(word)
    return found


@pytest.mark.parametrize(("page", "block"), SHELL, ids=identity)
def test_a_shell_block_is_sound(page: Path, block: Block) -> None:
    shell = shutil.which("bash")
    assert shell

    checked = subprocess.run(
        [shell, "-n"], input=block.text, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_containers_named_on_a_page_exist(page: Path) -> None:
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    page_text = page.read_text(encoding="utf-8")

    for profile, verb, arguments in VERB.findall(page_text.replace("`", ";")):
        assert not profile or profile in profiles
        given = words(arguments)
        if verb not in ALL:
            several = verb in ("logs", "restart", "stop", "start")
            assert given, (verb, arguments)
            assert {*(given if several else given[:1])} <= {*SERVICES}, (verb, arguments)
    assert {*re.findall(r"--scale (\w+)=", page_text)} <= {*SERVICES}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_commands_named_on_a_page_exist(page: Path) -> None:
    page_text = page.read_text(encoding="utf-8")
    pattern = re.compile(r"(?:`|^|exec \w+ )catchment ([a-z-]+)(?: ([a-z]+))?", re.MULTILINE)

    for name, below in pattern.findall(page_text):
        command = main.commands[name]
        assert not isinstance(command, click.Group) or not below or below in command.commands


def test_every_program_is_in_the_production_page() -> None:
    named_there = re.findall(r"catchment (\w+)", PRODUCTION.read_text(encoding="utf-8"))

    assert {"serve", "worker", "scheduler", "health", "migrate"} <= {*named_there}


def quoted(pattern: str) -> str:
    """Return a part of the commands of the production page."""
    [found] = re.findall(pattern, "".join(block.text for block in blocks(PRODUCTION, "sh")))
    return str(found)


def test_both_restores_end_with_the_command_for_it() -> None:
    commands = "".join(block.text for block in blocks(PRODUCTION, "sh"))

    assert len(re.findall(r"catchment restored$", commands, re.MULTILINE)) == 2
    assert quoted(r'sqlite3 var/catchment\.db "(\.backup .*)"') == ".backup 'catchment.backup.db'"


def test_the_program_that_looks_at_dead_announcements_is_python() -> None:
    program = quoted(r"(?s)python - <<'END'\n(.*?)\nEND\n")

    compile(program, "dead.py", "exec")
    assert '"catchment.dead"' in program
