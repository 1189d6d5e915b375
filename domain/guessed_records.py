"""Guesses of where the records of an answer are, each with its evidence."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from domain.pointers import EVERY, Pointer

_DEEPEST = 4
#: So many alike members of an object are records by name.
_LEAST_MEMBERS = 5
#: What lists of records are called.
_KNOWN = frozenset(
    {
        "data", "results", "result", "items", "records", "rows", "value", "values", "entries",
        "entry", "hits", "docs", "documents", "list", "objects", "content", "contents",
        "elements", "features", "members", "nodes", "edges", "resources", "response", "payload",
        "repositories", "users", "events", "issues",
    }
)  # fmt: skip


class RecordsGuess(msgspec.Struct, frozen=True, kw_only=True):
    """A place of records: its pointer, the records there, whether it is sure, and why."""

    pointer: Pointer
    elements: Sequence[Any]
    sure: bool
    evidence: str
    columns: Pointer | None = None


class _Candidate(msgspec.Struct, frozen=True):
    pointer: Pointer
    elements: Sequence[Any]
    size: int

    @property
    def rank(self) -> int:
        """Return 0 for objects, 1 for rows, 2 for texts and numbers."""
        first = self.elements[0]
        return 0 if isinstance(first, dict) else 1 if isinstance(first, list) else 2

    @property
    def is_known(self) -> bool:
        names = [step for step in self.pointer.steps if step is not EVERY]
        return bool(names) and str(names[-1]).lower() in _KNOWN


def guess_records(body: Any) -> list[RecordsGuess]:
    """Return the places of records, the best first; a ValueError says why there is none."""
    if isinstance(body, list):
        if not body:
            raise ValueError("the answer is an empty list: ask again when there is a record")
        only = _Candidate(Pointer(), body, _size(body))
        return [_guess(only, body, sure=True, evidence="the answer is a list")]
    if not isinstance(body, dict) or not body:
        raise ValueError("the answer holds no records")
    whole = _size(body)
    candidates = sorted(
        _candidates(body, ()),
        key=lambda c: (2 * c.size < whole, c.rank, not c.is_known, -c.size),
    )
    if not candidates:
        return [_single(body)]
    guesses = []
    for number, each in enumerate(candidates):
        share = each.size / whole
        rivals = [other for other in candidates if other is not each and other.rank == each.rank]
        sure = not number and (share >= 0.5 or (each.is_known and not rivals))
        evidence = f"{len(each.elements)} {_kind(each)}, {share:.0%} of the answer"
        guesses.append(_guess(each, body, sure=sure, evidence=evidence))
    return guesses


def _single(body: dict[str, Any]) -> RecordsGuess:
    for name, value in body.items():
        if value == [] and name.lower() in _KNOWN:
            raise ValueError(f"/{name} is an empty list: ask again when there is a record")
    return RecordsGuess(
        pointer=Pointer(), elements=[body], sure=False, evidence="the whole answer as one record"
    )


def _guess(found: _Candidate, body: Any, *, sure: bool, evidence: str) -> RecordsGuess:
    columns = _columns(found, body) if found.rank == 1 else None
    elements = found.elements
    if columns is not None:
        names = columns.find(body)
        elements = [dict(zip(names, row, strict=False)) for row in elements]
    return RecordsGuess(
        pointer=found.pointer,
        elements=elements,
        sure=sure and (found.rank != 1 or columns is not None),
        evidence=evidence,
        columns=columns,
    )


def _columns(found: _Candidate, body: Any) -> Pointer | None:
    """Return where the names of the columns of rows are: a list of as many texts."""
    if not isinstance(body, dict):
        return None
    for name, value in body.items():
        is_texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if is_texts and value and len(value) == len(found.elements[0]):
            return Pointer((name,))
    return None


def _candidates(value: dict[str, Any], steps: tuple[str, ...]) -> Iterator[_Candidate]:
    for name, each in value.items():
        here = (*steps, name)
        if isinstance(each, list) and each:
            yield _Candidate(Pointer(here), each, _size(each))
        elif isinstance(each, dict) and _are_alike(each):
            yield _Candidate(Pointer((*here, EVERY)), list(each.values()), _size(each))
        elif isinstance(each, dict) and len(here) < _DEEPEST:
            yield from _candidates(each, here)


def _are_alike(members: dict[str, Any]) -> bool:
    """Return whether members are records by name: objects that mostly have the same members."""
    objects = [each for each in members.values() if isinstance(each, dict) and each]
    if len(objects) < _LEAST_MEMBERS or len(objects) < len(members):
        return False
    shared = set(objects[0]).intersection(*objects[1:])
    return 2 * len(shared) >= len(set().union(*objects))


def _kind(found: _Candidate) -> str:
    return ("objects", "rows", "values")[found.rank]


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
