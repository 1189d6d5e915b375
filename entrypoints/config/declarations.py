"""Declared datasets, read from a TOML file or a folder of them."""

import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from adapters.outbound.polite.urls import parse
from domain.declarations import NOTHING_DECLARED, Declarations, declarations_of
from domain.errors import SourceRefused
from domain.strict_reading import InvalidTable, Keys, Problem

#: The file that is read if no setting names another one.
DEFAULT_FILE = "datasets.toml"
MAX_FILE = 8 * 1024 * 1024
MAX_DATASETS = 10_000


class InvalidDeclarations(Exception):
    """All errors in the files, one in each line: the file, the line, the key and the reason."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))


def read_declarations(
    path: str, taken: Collection[str] = (), most: int = MAX_DATASETS
) -> Declarations:
    """Return the declarations in a file, or in all files of a folder.

    Without a path DEFAULT_FILE is read, if it exists. Raise InvalidDeclarations for invalid files,
    for names that are `taken`, and for more than `most` datasets.
    """
    given = Path(path or DEFAULT_FILE)
    if not given.exists():
        if not path:
            return NOTHING_DECLARED
        raise InvalidDeclarations([f"{path}: there is no such file or folder"])
    tables = [_Table(file) for file in _files(given)]
    merged = _merged(tables)
    try:
        declared = declarations_of(merged)
    except InvalidTable as invalid:
        raise InvalidDeclarations([_line(tables, each) for each in invalid.problems]) from None
    problems = [*_taken(declared, taken), *_bad_urls(declared)]
    if len(declared.datasets) > most:
        problems.append(Problem(("datasets",), f"there are more than {most} datasets"))
    if problems:
        raise InvalidDeclarations([_line(tables, each) for each in problems])
    return declared


class _Table:
    """One file: its table, and the lines of its keys."""

    def __init__(self, file: Path) -> None:
        self.file = file
        if file.stat().st_size > MAX_FILE:
            raise InvalidDeclarations([f"{file}: it is larger than {MAX_FILE // 2**20} MiB"])
        try:
            self.text = file.read_text(encoding="utf-8")
            self.table: dict[str, Any] = tomllib.loads(self.text)
        except UnicodeDecodeError:
            raise InvalidDeclarations([f"{file}: it is not UTF-8"]) from None
        except tomllib.TOMLDecodeError as error:
            raise InvalidDeclarations([f"{file}: it is not valid TOML: {error}"]) from None

    def has(self, keys: Keys) -> bool:
        """Return whether this file has the first two keys, such as datasets and a name."""
        table: Any = self.table
        for key in keys[:2]:
            if not isinstance(table, dict) or key not in table:
                return False
            table = table[key]
        return True

    def line(self, keys: Keys) -> int:
        """Return the line of these keys, or of as many of the first ones as the file has."""
        found, depth = 1, 0
        table: Keys = ()
        for number, text in enumerate(self.text.splitlines(), 1):
            if header := _HEADER.match(text):
                table = _split(header[1])
                here: Keys = table
            elif pair := _PAIR.match(text):
                here = (*table, *_split(pair[1]))
            else:
                continue
            if len(here) > depth and keys[: len(here)] == here:
                found, depth = number, len(here)
        return found


_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_KEYS = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\s*({_KEYS})\s*\]")
_PAIR = re.compile(rf"\s*({_KEYS})\s*=")


def _split(keys: str) -> Keys:
    return tuple(key.strip("\"'") for key in re.findall(_KEY, keys))


def _files(given: Path) -> list[Path]:
    return sorted(given.glob("*.toml")) if given.is_dir() else [given]


def _merged(tables: list[_Table]) -> dict[str, Any]:
    """Return all tables as one; raise InvalidDeclarations if a name is in two files."""
    merged: dict[str, Any] = {}
    for each in tables:
        for kind, named in each.table.items():
            if not isinstance(named, dict):
                merged[kind] = named
                continue
            blocks = merged.setdefault(kind, {})
            for name, block in named.items():
                if name in blocks:
                    line = each.line((kind, name))
                    raise InvalidDeclarations(
                        [f"{each.file}:{line}: {kind}.{name} is in two files"]
                    )
                blocks[name] = block
    return merged


def _line(tables: list[_Table], problem: Problem) -> str:
    table = next((each for each in tables if each.has(problem.keys)), tables[0])
    return f"{table.file}:{table.line(problem.keys)}: {problem}"


def _taken(declared: Declarations, taken: Collection[str]) -> Iterator[Problem]:
    for name in declared.datasets:
        if name in taken:
            yield Problem(("datasets", name), "a shipped dataset has this name")


def _bad_urls(declared: Declarations) -> Iterator[Problem]:
    for name, each in declared.datasets.items():
        for source in each.sources:
            try:
                parse(source.request.address)
            except SourceRefused as error:
                yield Problem(("datasets", name, "url"), error.detail)


def declared_private_hosts(declared: Declarations) -> frozenset[str]:
    """Return the hosts, as "host:port", that the file allows to have a private address."""
    private = [name for name, host in declared.hosts.items() if host.private]
    return frozenset(
        each
        for name in private
        for each in ([name] if _PORT.search(name) else [f"{name}:80", f"{name}:443"])
    )


_PORT = re.compile(r":[0-9]+$")
