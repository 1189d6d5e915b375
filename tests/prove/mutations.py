"""Mutations: the small ways in which a line of code can be wrong."""

import ast
import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "ceil": "floor"}


class Mutant(NamedTuple):
    """A module with one thing wrong in it."""

    line: int
    what: str
    source: str


def mutants_of(source: str) -> Iterator[Mutant]:
    """Every module that differs from this one by one mutation."""
    tree = ast.parse(source)
    for number, node in enumerate(_code(tree)):
        for which in range(len(_variants(node))):
            changed = copy.deepcopy(tree)
            twin = list(_code(changed))[number]
            before = ast.unparse(twin)
            _variants(twin)[which]()
            what = f"{before} -> {ast.unparse(twin)}"
            yield Mutant(getattr(node, "lineno", 0), what, ast.unparse(changed))


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that do something: no annotations, no options of classes, no texts."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        if isinstance(tree, ast.ClassDef) and name in ("bases", "keywords"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
                yield from _code(child)


def _variants(node: ast.AST) -> list[Callable[[], None]]:
    """Ways to spoil a node, each a function that does so."""
    if isinstance(node, ast.Compare):
        return [partial(_compare_otherwise, node, place) for place in range(len(node.ops))]
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return [lambda: setattr(node, "op", other)]
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return [lambda: setattr(node, "op", _ARITHMETIC[type(node.op)]())]
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return [lambda: setattr(node, "value", not node.value)]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return [lambda: setattr(node, "value", node.value + 1)]
    if isinstance(node, ast.Return) and not _is_none(node.value):
        return [lambda: setattr(node, "value", ast.Constant(None))]
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        return [lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _CALLS:
        called = _CALLS[node.func.id]  # type: ignore[attr-defined]
        return [lambda: setattr(node.func, "id", called)]
    return []


def _compare_otherwise(node: ast.Compare, place: int) -> None:
    node.ops[place] = _COMPARISONS[type(node.ops[place])]()


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)
