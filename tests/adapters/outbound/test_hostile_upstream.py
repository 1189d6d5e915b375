"""The hostile upstream: each of its faults and what becomes of it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROWS = range(1, 44)
TESTS = Path(__file__).parents[2]
#: What the sample upstream itself does is tested there, and says nothing of us.
FOLDERS = ("adapters", "application", "contract", "e2e", "http")


def played() -> Iterator[int]:
    """The rows that are named by a test, or that a test has the sample upstream play."""
    for path in (path for folder in FOLDERS for path in (TESTS / folder).rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from map(int, re.findall(r"_u([0-9]+)(?=_)", node.name))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                fault = re.fullmatch(r"U([0-9]+)(-.*)?", node.value)
                yield from [int(fault[1])] if fault else []


def test_every_row_is_covered() -> None:
    assert set(played()) == set(ROWS)
