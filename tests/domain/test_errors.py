"""Errors: one tree, drawn at the top of its file, with a code for each."""

import inspect

from domain import errors
from domain.errors import CatchmentError, InvalidInput

ALL = [
    one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, CatchmentError)
]


def test_the_drawing_shows_every_error_under_its_parent() -> None:
    drawn = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        marker = next((m for m in ("├── ", "└── ") if m in line), None)
        if marker is None and not line.startswith("CatchmentError"):
            continue
        depth = 0 if marker is None else line.index(marker) // 4 + 1
        name = line.split(marker)[1].split()[0] if marker else "CatchmentError"
        path[depth:] = [name]
        drawn.append((name, path[depth - 1] if depth else "Exception"))

    assert sorted(drawn) == sorted((one.__name__, one.__mro__[1].__name__) for one in ALL)


def test_every_error_has_a_code_of_its_own() -> None:
    # A value that cannot be is the same to a client, whether it came as a parameter or in a body.
    codes = [one.code for one in ALL if one is not InvalidInput]

    assert sorted(codes) == sorted(set(codes))
