"""A small Markdown parser for the tests of the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
REFERENCE = DOCS / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]*)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")
_MARKS = re.compile(r"[^\w\- ]")


class Block(NamedTuple):
    """One fenced block: its language, the file it stands for, if any, and its text."""

    language: str
    title: str
    text: str


def named(path: Path) -> str:
    """Return a page as it is named in a failure."""
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str = "") -> list[Block]:
    """Return the fenced blocks of a page, in one language or in all."""
    found = [Block(*match) for match in _FENCE.findall(page.read_text(encoding="utf-8"))]
    return [block for block in found if language in ("", block.language)]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    """Return the headings of a page, without their marks."""
    return _HEADING.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page."""
    return {_MARKS.sub("", heading.lower()).replace(" ", "-") for heading in headings(page)}


def section(page: Path, heading: str) -> str:
    """Return the text under a heading, up to the next one of any level."""
    text = prose(page).partition(f"# {heading}\n")[2]
    return _HEADING.split(text)[0]


def rows(text: str) -> Iterator[list[str]]:
    """Return the rows of the tables in a text, without their heads, cell by cell."""
    head = True
    for line in text.splitlines():
        if not line.startswith("|"):
            head = True
        elif set(line) <= set("|- :"):
            head = False
        elif not head:
            yield [cell.strip() for cell in _CELL.split(line.strip("|"))]


def codes(cell: str) -> list[str]:
    """Return the `code` spans of a text."""
    return re.findall(r"`([^`\n]+)`", cell)
