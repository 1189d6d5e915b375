"""What whoever keeps what is known of repositories promises."""

from datetime import timedelta

import pytest

from domain.fields import INT64_MAX
from domain.repositories import KnownRepository, LookupResult, RepoFacts
from tests.contract.backends import Backend

FACTS = RepoFacts("a client", 7, "Python")
MOMENT = timedelta(microseconds=1)

LOOKED_UP = LookupResult(FACTS, '"1"')


def known(backend: Backend, name: str = "a/b", told: LookupResult = LOOKED_UP) -> KnownRepository:
    """A repository that GitHub has told of just now."""
    now = backend.clock.now()
    return KnownRepository(name=name, told=told, told_at=now, looked_at=now)


async def test_nothing_is_known_at_first(backend: Backend) -> None:
    assert await backend.known_repositories.get("a/b") is None
    assert await backend.known_repositories.due(backend.clock.now()) == []


@pytest.mark.parametrize(
    "told",
    [
        LookupResult(None),
        LookupResult(FACTS),
        LookupResult(FACTS, 'W/"é"'),
        LookupResult(RepoFacts(None, 0, None), '""'),
        LookupResult(RepoFacts("\n\\\"'😀", INT64_MAX, ""), None),
    ],
)
async def test_what_is_kept_is_known(backend: Backend, told: LookupResult) -> None:
    kept = known(backend, told=told)

    await backend.known_repositories.keep(kept)

    assert await backend.known_repositories.get("a/b") == kept
    assert await backend.known_repositories.get("A/b") is None


async def test_what_is_kept_later_takes_its_place(backend: Backend) -> None:
    first = known(backend)
    backend.clock.advance(MOMENT)
    second = first.after(LookupResult(None), backend.clock.now())

    await backend.known_repositories.keep(first)
    await backend.known_repositories.keep(second)

    assert await backend.known_repositories.get("a/b") == second


async def test_what_is_forgotten_is_not_known(backend: Backend) -> None:
    await backend.known_repositories.keep(known(backend))
    await backend.known_repositories.keep(known(backend, "c/d"))

    await backend.known_repositories.forget("a/b")
    await backend.known_repositories.forget("no/where")

    assert await backend.known_repositories.get("a/b") is None
    assert await backend.known_repositories.get("c/d") == known(backend, "c/d")


async def test_due_is_what_nobody_has_looked_at_since_longest_ago_first(backend: Backend) -> None:
    for name in ("c/second", "b/third", "a/fourth"):
        backend.clock.advance(MOMENT)
        await backend.known_repositories.keep(known(backend, name))
    second_to_last = backend.clock.now() - MOMENT
    first = known(backend, "d/first")
    await backend.known_repositories.keep(
        KnownRepository(
            name=first.name,
            told=first.told,
            told_at=backend.clock.now(),
            looked_at=backend.clock.now() - timedelta(days=1),
        )
    )

    due = await backend.known_repositories.due(second_to_last)

    assert due == ["d/first", "c/second", "b/third"]
