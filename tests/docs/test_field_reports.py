"""The page of field reports names tests that there are."""

import re

from tests.docs.markdown import ROOT

_NAMED = re.compile(r"\btest_[a-z0-9_]+(?!\w|\.py)")
_DEFINED = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)


def test_every_test_that_holds_a_row_exists() -> None:
    page = (ROOT / "docs" / "field-reports.md").read_text(encoding="utf-8")
    named = set(_NAMED.findall(page))
    files = (ROOT / "tests").rglob("test_*.py")
    defined = {
        name for file in files for name in _DEFINED.findall(file.read_text(encoding="utf-8"))
    }

    missing = {each for each in named if not any(name.startswith(each) for name in defined)}
    assert len(named) > 100
    assert missing == set()
