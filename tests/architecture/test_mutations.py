"""A mutant differs by one mistake, and is still a valid module."""

import ast

from tests.prove.mutations import mutants_of

SOURCE = '''
"""A module."""

class Thing(Struct, frozen=True):
    size: int | None = 3

def larger(thing: Thing, by: int = 1) -> bool:
    """Whether it is."""
    if thing.size is None or not by:
        return False
    return min(thing.size + by, 10) > 3
'''


def test_every_mistake_is_made_once() -> None:
    made = [(mutant.line, mutant.what) for mutant in mutants_of(SOURCE)]

    assert made == [
        (5, "3 -> 4"),
        (7, "1 -> 2"),
        (
            9,
            "if thing.size is None or not by:\n    return False -> "
            "if not (thing.size is None or not by):\n    return False",
        ),
        (9, "thing.size is None or not by -> thing.size is None and (not by)"),
        (9, "thing.size is None -> thing.size is not None"),
        (10, "return False -> return None"),
        (10, "False -> True"),
        (11, "return min(thing.size + by, 10) > 3 -> return None"),
        (11, "min(thing.size + by, 10) > 3 -> min(thing.size + by, 10) >= 3"),
        (11, "min(thing.size + by, 10) -> max(thing.size + by, 10)"),
        (11, "thing.size + by -> thing.size - by"),
        (11, "10 -> 11"),
        (11, "3 -> 4"),
    ]


def test_a_mutant_is_another_module() -> None:
    sources = {mutant.source for mutant in mutants_of(SOURCE)}

    assert len(sources) == 13
    assert all(ast.parse(source) for source in sources)
    assert ast.unparse(ast.parse(SOURCE)) not in sources
