"""Contract of `KnownRepositories`."""

from datetime import timedelta

import pytest

from domain.fields import INT64_MAX
from domain.repositories import KnownRepository, LookupResult, RepoFacts
from tests.contract.backends import Backend

FACTS = RepoFacts("a client", 7, "Python")
MICROSECOND = timedelta(microseconds=1)

LOOKED_UP = LookupResult(FACTS, '"1"')


def known(backend: Backend, name: str = "a/b", result: LookupResult = LOOKED_UP) -> KnownRepository:
    """Return a repository that was looked up now."""
    now = backend.clock.now()
    return KnownRepository(name=name, result=result, since=now, checked_at=now)


async def test_nothing_is_known_at_first(backend: Backend) -> None:
    assert await backend.known_repositories.get("a/b") is None
    assert await backend.known_repositories.due(backend.clock.now(), backend.clock.now()) == []


@pytest.mark.parametrize(
    "result",
    [
        LookupResult(None),
        LookupResult(FACTS),
        LookupResult(FACTS, 'W/"é"'),
        LookupResult(FACTS, '"7"', "https://api.github.com/repositories/7"),
        LookupResult(RepoFacts(None, 0, None), '""'),
        LookupResult(RepoFacts("\n\\\"'😀", INT64_MAX, ""), None),
    ],
)
async def test_a_stored_repository_is_found(backend: Backend, result: LookupResult) -> None:
    kept = known(backend, result=result)

    await backend.known_repositories.keep(kept)

    assert await backend.known_repositories.get("a/b") == kept
    assert await backend.known_repositories.get("A/b") is None


async def test_a_later_state_replaces_an_earlier_one(backend: Backend) -> None:
    first = known(backend)
    backend.clock.advance(MICROSECOND)
    second = first.after(LookupResult(None), backend.clock.now())

    await backend.known_repositories.keep(first)
    await backend.known_repositories.keep(second)

    assert await backend.known_repositories.get("a/b") == second


async def test_a_removed_repository_is_unknown(backend: Backend) -> None:
    await backend.known_repositories.keep(known(backend))
    await backend.known_repositories.keep(known(backend, "c/d"))

    await backend.known_repositories.forget("a/b")
    await backend.known_repositories.forget("no/where")

    assert await backend.known_repositories.get("a/b") is None
    assert await backend.known_repositories.get("c/d") == known(backend, "c/d")


async def test_repositories_not_checked_since_are_due_oldest_first(backend: Backend) -> None:
    for name in ("c/second", "b/third", "a/fourth"):
        backend.clock.advance(MICROSECOND)
        await backend.known_repositories.keep(known(backend, name))
    second_to_last = backend.clock.now() - MICROSECOND
    first = known(backend, "d/first")
    await backend.known_repositories.keep(
        KnownRepository(
            name=first.name,
            result=first.result,
            since=backend.clock.now(),
            checked_at=backend.clock.now() - timedelta(days=1),
        )
    )

    due = await backend.known_repositories.due(second_to_last, backend.clock.now())

    assert due == ["d/first", "c/second", "b/third"]
