"""Edits of a syntax tree: the one place that a fault changes, and what it becomes."""

import ast
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

#: Changes the tree of one function, class or assignment in place.
Edit = Callable[[ast.AST], None]
#: What a node becomes: another node, several statements, or nothing.
Into = Callable[[ast.AST], ast.AST | list[ast.stmt] | None]


class DoesNotApplyError(Exception):
    """The target of an edit is missing, or not unique."""


class _Place(NamedTuple):
    """The position of a node in a tree: a field of its parent, or an index in that list."""

    parent: ast.AST
    field: str
    at: int | None
    node: ast.AST


# ---------------------------------------------------------------- where


def changed(root: Path, where: str, edit: Edit) -> tuple[Path, str]:
    """Return the file of `package:qualified.name`, and its source after an edit of that name.

    The package is where to look, at any depth, so that a file may move within it.
    """
    path, tree = _file_of(root, where)
    before = ast.dump(tree)
    edit(_scope(tree, where.partition(":")[2]))
    if ast.dump(tree) == before:
        raise DoesNotApplyError(f"{where} is the same as before")
    source = ast.unparse(ast.fix_missing_locations(tree))
    compile(source, str(path), "exec")
    return path, source


def _file_of(root: Path, where: str) -> tuple[Path, ast.Module]:
    package, _, name = where.partition(":")
    below = root.joinpath(*package.split("."))
    paths = sorted(below.rglob("*.py")) if below.is_dir() else [below.with_suffix(".py")]
    trees = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths]
    found = [(path, tree) for path, tree in trees if list(_scopes(tree, name))]
    if len(found) != 1:
        files = ", ".join(str(path.relative_to(root)) for path, _ in found) or "no file"
        raise DoesNotApplyError(f"{where} is in {files}; name a package that has it once")
    return found[0]


def _scope(tree: ast.AST, name: str) -> ast.AST:
    found = list(_scopes(tree, name))
    if len(found) != 1:
        raise DoesNotApplyError(f"{name} is defined {len(found)} times in its file")
    return found[0]


def _scopes(tree: ast.AST, name: str) -> Iterator[ast.AST]:
    first, _, rest = name.partition(".")
    for node in getattr(tree, "body", []):
        if first in _defined(node):
            yield from _scopes(node, rest) if rest else [node]


def _defined(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = {ast.Assign: "targets", ast.AnnAssign: "target"}.get(type(node))
    named = getattr(node, targets) if targets else []
    return [n.id for n in (named if isinstance(named, list) else [named]) if hasattr(n, "id")]


# ---------------------------------------------------------------- selection of a node


def edit(kind: type[ast.AST], *mentions: str, into: Into) -> Edit:
    """Change the one innermost node of a kind that mentions all of these words."""

    def applied(scope: ast.AST) -> None:
        _put(_single(_innermost(scope, kind, mentions), kind, mentions), into)

    return applied


def both(*edits: Edit) -> Edit:
    """Make several edits, one after the other."""

    def applied(scope: ast.AST) -> None:
        for each in edits:
            each(scope)

    return applied


def compare(before: type[ast.cmpop], after: type[ast.cmpop], *mentions: str) -> Edit:
    """Change the operator of the one comparison that has it and mentions all of these words."""

    def into(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Compare)
        node.ops = [after()]
        return node

    return compared(before, *mentions, into=into)


def compared(operator: type[ast.cmpop], *mentions: str, into: Into) -> Edit:
    """Change the one comparison with this operator that mentions all of these words."""

    def applied(scope: ast.AST) -> None:
        places = [p for p in _innermost(scope, ast.Compare, mentions) if _has(p.node, operator)]
        _put(_single(places, ast.Compare, mentions), into)

    return applied


def _has(node: ast.AST, operator: type[ast.cmpop]) -> bool:
    return isinstance(node, ast.Compare) and [type(op) for op in node.ops] == [operator]


def _single(places: list[_Place], kind: type[ast.AST], mentions: tuple[str, ...]) -> _Place:
    if len(places) != 1:
        said = " and ".join(mentions) or "whatever"
        raise DoesNotApplyError(f"{len(places)} places have a {kind.__name__} that mentions {said}")
    return places[0]


def _innermost(scope: ast.AST, kind: type[ast.AST], mentions: tuple[str, ...]) -> list[_Place]:
    found = [
        place
        for place in _places(scope)
        if isinstance(place.node, kind) and set(mentions) <= _words(place.node)
    ]
    outer = {id(up.node) for up in found for low in found if _is_within(low.node, up.node)}
    return [place for place in found if id(place.node) not in outer]


def _is_within(inner: ast.AST, outer: ast.AST) -> bool:
    return inner is not outer and any(node is inner for node in ast.walk(outer))


def _places(tree: ast.AST) -> Iterator[_Place]:
    for field, value in ast.iter_fields(tree):
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if isinstance(child, ast.AST):
                yield _Place(tree, field, index, child)
                yield from _places(child)


def _words(node: ast.AST) -> set[str]:
    """Every name, attribute, keyword and text within a node."""
    named = ("id", "attr", "arg", "name")
    words = {getattr(each, name, None) for each in ast.walk(node) for name in named}
    texts = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return {word for word in words | texts if isinstance(word, str)}


def _put(place: _Place, into: Into) -> None:
    made = into(place.node)
    if isinstance(place.node, ast.stmt) and isinstance(made, ast.expr):
        made = ast.Expr(made)
    if place.at is None:
        setattr(place.parent, place.field, made)
        return
    held = getattr(place.parent, place.field)
    new = made if isinstance(made, list) else [made] if made is not None else []
    held[place.at : place.at + 1] = new
    if not held and place.field == "body":
        held.append(ast.Pass())


# ---------------------------------------------------------------- replacement


def code(text: str) -> Into:
    """Replace the node by this expression, or these statements."""

    def made(node: ast.AST) -> ast.AST | list[ast.stmt]:
        statements = ast.parse(text).body
        if isinstance(node, ast.expr) and isinstance(statements[0], ast.Expr):
            return statements[0].value
        return statements

    return made


def after(text: str) -> Into:
    """Put these statements before the node, which stays."""
    return lambda node: [*ast.parse(text).body, node]  # type: ignore[list-item]


def gone(node: ast.AST) -> None:
    """Drop a statement, a keyword or an element."""


def part(*path: str | int) -> Into:
    """Keep only a part of the node, such as `args`, 0."""

    def made(node: ast.AST) -> ast.AST:
        found: object = node
        for step in path:
            found = found[step] if isinstance(step, int) else getattr(found, step)  # type: ignore[index]
        assert isinstance(found, ast.AST)
        return found

    return made


def with_field(field: str, text: str) -> Into:
    """Write this expression, or these statements, into a field of the node."""

    def made(node: ast.AST) -> ast.AST:
        statements = ast.parse(text).body
        value = statements if isinstance(getattr(node, field), list) else statements[0].value  # type: ignore[attr-defined]
        setattr(node, field, value)
        return node

    return made


def with_arguments(text: str) -> Into:
    """Call with these arguments instead."""
    called = ast.parse(f"_({text})", mode="eval").body

    def made(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Call)
        assert isinstance(called, ast.Call)
        node.args, node.keywords = copy.deepcopy(called.args), copy.deepcopy(called.keywords)
        return node

    return made


def without(*mentions: str) -> Into:
    """Drop the one operand, argument, element or entry that mentions all of these words."""

    def made(node: ast.AST) -> ast.AST:
        field = next(name for name in ("values", "elts", "args") if hasattr(node, name))
        parts = getattr(node, field)
        lists: list[list[Any]] = [parts]
        if isinstance(node, ast.Dict):
            lists = [node.keys, node.values]
        mentioning = [
            number
            for number, entry in enumerate(zip(*lists, strict=True))
            if set(mentions) <= set().union(*(_words(each) for each in entry))
        ]
        if len(mentioning) != 1:
            raise DoesNotApplyError(f"{len(mentioning)} parts mention {' and '.join(mentions)}")
        for each in lists:
            del each[mentioning[0]]
        if isinstance(node, ast.BoolOp) and len(node.values) == 1:
            return node.values[0]
        return node

    return made


def named(other: str) -> Into:
    """Replace an attribute or a name."""

    def made(node: ast.AST) -> ast.AST:
        setattr(node, "attr" if isinstance(node, ast.Attribute) else "id", other)
        return node

    return made


def turned_round(node: ast.AST) -> ast.AST:
    """Swap the operands."""
    assert isinstance(node, ast.BinOp)
    node.left, node.right = node.right, node.left
    return node
