"""Generated pages, written by `make docs`; a test compares them with the code."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from click.testing import CliRunner

from domain.blocks import (
    AuthBlock,
    DatasetBlock,
    FieldBlock,
    HostBlock,
    PagesBlock,
    SecretBlock,
    SourceBlock,
)
from entrypoints.cli.main import main
from entrypoints.config.setting_readers import Setting
from entrypoints.config.settings import PREFIX, SETTINGS
from tests.docs.markdown import REFERENCE, ROOT

EXAMPLE = ROOT / ".env.example"
SETTINGS_PAGE = REFERENCE / "settings.md"
COMMANDS_PAGE = REFERENCE / "commands.md"
DECLARATIONS_PAGE = REFERENCE / "declarations.md"

_COLUMNS = 100
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_TABLE = re.compile(r"(\| name \| default \| meaning \|\n\|---\|---\|---\|\n)(?:\|.*\n)+")
_HELP = re.compile(r"^```text\n\$ (catchment[a-z -]*) --help\n.*?^```\n", re.MULTILINE | re.DOTALL)


def generated() -> dict[Path, str]:
    """Return each page with its generated part up to date."""
    return {
        EXAMPLE: example(SETTINGS),
        SETTINGS_PAGE: settings_page(SETTINGS_PAGE.read_text(encoding="utf-8"), SETTINGS),
        COMMANDS_PAGE: commands_page(COMMANDS_PAGE.read_text(encoding="utf-8"), helps()),
        DECLARATIONS_PAGE: declarations_page(DECLARATIONS_PAGE.read_text(encoding="utf-8")),
    }


def declarations_page(page: str) -> str:
    """Return the page with the tables of keys made anew, each below the name of its type."""
    kinds = SourceBlock, DatasetBlock, FieldBlock, PagesBlock, HostBlock, AuthBlock, SecretBlock
    for kind in kinds:
        rows = "".join(_key_rows(kind))
        head = f"<!-- {kind.__name__} -->\n| key | meaning |\n|---|---|\n"
        page = re.sub(re.escape(head) + r"(?:\|.*\n)*", lambda _, t=head + rows: t, page)
    return page


def _key_rows(kind: type[msgspec.Struct]) -> Iterator[str]:
    inherited = {field.name for base in kind.__bases__ for field in _fields(base)}
    for field in _fields(kind):
        if field.name not in inherited:
            meaning = get_args(field.type)[1].description
            required = " Required." if field.required else ""
            yield f"| `{field.encode_name}` | {meaning}{required} |\n"


def _fields(kind: type[Any]) -> tuple[Any, ...]:
    return msgspec.structs.fields(kind) if kind is not msgspec.Struct else ()


def example(settings: Mapping[str, Setting[Any]]) -> str:
    """Return `.env.example`: each setting commented out, below what it means."""
    head = "# Every setting with its default. Copy this file to .env and take the # away before"
    entries = [f"{head} what you change.\n"]
    for name, setting in settings.items():
        meaning = textwrap.wrap(
            _LINK.sub(r"\1", setting.meaning),
            _COLUMNS,
            initial_indent="# ",
            subsequent_indent="# ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        entries.append("\n".join([*meaning, f"# {PREFIX}{name}={setting.default}\n"]))
    return "\n".join(entries)


def settings_page(page: str, settings: Mapping[str, Setting[Any]]) -> str:
    """Return the page with an up-to-date table of all settings."""
    rows = [
        f"| `{PREFIX}{name}` | {f'`{s.default}`' if s.default else '(empty)'} | {s.meaning} |\n"
        for name, s in settings.items()
    ]
    return _TABLE.sub(lambda table: table[1] + "".join(rows), page)


def helps() -> dict[str, str]:
    """Return the help of every command, by how the command is typed."""
    return {command: _help(command) for command in _paths(main, "catchment")}


def commands_page(page: str, helps: Mapping[str, str]) -> str:
    """Return the page with every help up to date; a new command gets a section at the end."""

    def block(command: str) -> str:
        return f"```text\n$ {command} --help\n{helps[command]}```\n"

    documented = {match[1] for match in _HELP.finditer(page)}
    page = _HELP.sub(lambda match: block(match[1]) if match[1] in helps else match[0], page)
    new = [command for command in helps if command not in documented]
    return page + "".join(f"\n## `{command}`\n\n{block(command)}" for command in new)


def _paths(command: click.Command, path: str) -> Iterator[str]:
    yield path
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _paths(below, f"{path} {name}")


def _help(command: str) -> str:
    arguments = [*command.split()[1:], "--help"]
    return CliRunner().invoke(main, arguments, prog_name="catchment", terminal_width=78).output


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
