"""A fault changes exactly the place it names, and fails if there is not exactly one."""

import ast
from pathlib import Path

import pytest

from tests.prove.edits import (
    DoesNotApplyError,
    Edit,
    after,
    both,
    changed,
    code,
    compare,
    compared,
    edit,
    gone,
    named,
    part,
    turned_round,
    with_arguments,
    with_field,
    without,
)

SOURCE = """
LIMITS = {"few": 1, "many": 9}

class Store:

    def held(self, job):
        if job.fence >= 2 and self.name and (job.lease > 3):
            raise Lost(job.name, fence=job.fence)
        return min(job.name + "!", self.name)
"""


def lines_of(tmp_path: Path, where: str, made: Edit) -> tuple[set[str], set[str]]:
    """Return the lines that an edit removes, and those it adds."""
    (tmp_path / "core" / "deep").mkdir(parents=True)
    (tmp_path / "core" / "deep" / "store.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "core" / "other.py").write_text("class Other:\n    pass\n", encoding="utf-8")
    path, source = changed(tmp_path, where, made)
    assert path.name == "store.py"
    before = {line.strip() for line in ast.unparse(ast.parse(SOURCE)).splitlines()}
    now = {line.strip() for line in source.splitlines()}
    return before - now, now - before


@pytest.mark.parametrize(
    ("made", "new"),
    [
        (
            compare(ast.GtE, ast.Gt, "fence"),
            {"if job.fence > 2 and self.name and (job.lease > 3):"},
        ),
        (
            compared(ast.Gt, "lease", into=code("False")),
            {"if job.fence >= 2 and self.name and False:"},
        ),
        (
            edit(ast.BoolOp, "fence", into=without("lease")),
            {"if job.fence >= 2 and self.name:"},
        ),
        (edit(ast.keyword, "fence", into=gone), {"raise Lost(job.name)"}),
        (edit(ast.keyword, into=with_field("value", "0")), {"raise Lost(job.name, fence=0)"}),
        (edit(ast.Raise, into=gone), {"pass"}),
        (edit(ast.Raise, into=after("self.note()")), {"self.note()"}),
        (edit(ast.Call, "min", into=part("args", 1)), {"return self.name"}),
        (edit(ast.Call, "min", into=with_arguments("0")), {"return min(0)"}),
        (edit(ast.BinOp, into=turned_round), {"return min('!' + job.name, self.name)"}),
        (edit(ast.Attribute, "lease", into=named("end")), None),
        (
            both(
                edit(ast.Call, "min", into=part("args", 0)),
                edit(ast.BinOp, into=part("left")),
            ),
            {"return job.name"},
        ),
    ],
)
def test_an_edit_changes_one_place(tmp_path: Path, made: Edit, new: set[str] | None) -> None:
    _, put = lines_of(tmp_path, "core:Store.held", made)

    assert put == (new or {"if job.fence >= 2 and self.name and (job.end > 3):"})


def test_a_constant_has_a_name_too(tmp_path: Path) -> None:
    made = edit(ast.Dict, into=without("few"))

    assert lines_of(tmp_path, "core.deep:LIMITS", made)[1] == {"LIMITS = {'many': 9}"}


@pytest.mark.parametrize(
    ("where", "made"),
    [
        ("core:Store.kept", edit(ast.Raise, into=gone)),
        ("core:Stores.held", edit(ast.Raise, into=gone)),
        ("core:Store.held", edit(ast.Attribute, "fence", into=code("0"))),
        ("core:Store.held", edit(ast.While, into=gone)),
        ("core:Store.held", compare(ast.Lt, ast.LtE, "fence")),
        ("core:Store.held", edit(ast.BoolOp, into=without("version"))),
        ("core:Store.held", edit(ast.Constant, "!", into=code("'!'"))),
    ],
)
def test_an_edit_that_does_not_find_exactly_one_place_fails(
    tmp_path: Path, where: str, made: Edit
) -> None:
    with pytest.raises(DoesNotApplyError):
        lines_of(tmp_path, where, made)
