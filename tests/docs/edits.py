"""The edits of a how-to, applied to a copy of the product."""

import shutil
from pathlib import Path

from tests.docs.markdown import ROOT, blocks

_PACKAGES = ("domain", "application", "adapters", "entrypoints")
_UNNEEDED = shutil.ignore_patterns("__pycache__", "swagger-ui-*")


def copy_product(into: Path) -> None:
    """Copy what a how-to edits, and what its tests need to run."""
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, into / package, ignore=_UNNEEDED)
    shutil.copy(ROOT / "pyproject.toml", into)


def follow(page: Path, product: Path) -> list[str]:
    """Make every edit of a page and return the files it adds."""
    added = []
    for block in blocks(page):
        if block.language == "diff":
            _edit(product / block.title, block.text)
        elif block.title:
            path = product / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            added.append(block.title)
    return added


def _edit(path: Path, difference: str) -> None:
    marked = difference.splitlines()
    old = "".join(f"{line[1:]}\n" for line in marked if line[:1] in (" ", "-", ""))
    new = "".join(f"{line[1:]}\n" for line in marked if line[:1] in (" ", "+", ""))
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} has these lines {text.count(old)} times:\n{old}"
    path.write_text(text.replace(old, new), encoding="utf-8")
