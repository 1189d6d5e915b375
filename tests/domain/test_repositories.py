"""Repositories: valid names, and the state after each response of GitHub."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.repositories import (
    Enrichment,
    Finding,
    KnownRepository,
    LookupResult,
    RepoFacts,
    is_repository,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FACTS = RepoFacts("a client", 7, "Python")


def known(facts: RepoFacts | None = FACTS) -> KnownRepository:
    """Return a repository that was looked up now."""
    result = LookupResult(facts, '"1"')
    return KnownRepository(name="a/b", result=result, since=NOW, checked_at=NOW)


@pytest.mark.parametrize(
    "text",
    ["a/b", "A-b-9/c", "1/2", "o/.github", "o/...", "o/_", "o/-", "o" * 39 + "/" + "n" * 100],
)
def test_a_name_by_the_rules_is_one(text: str) -> None:
    assert is_repository(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "-a/b",
        "a-/b",
        "a--b/c",
        "a_b/c",
        "a.b/c",
        "a/.",
        "a/..",
        "../b",
        "a/b\n",
        "a/..\n",
        " a/b",
        "a/b c",
        "a/b?c",
        "a/b#c",
        "a/%2e%2e",
        "a\\b",
        "é/b",
        "a/é",
        "a/b\0",
        "o" * 40 + "/b",
        "a/" + "n" * 101,
        "https://github.com/a/b",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_repository(text)


@given(st.from_regex(r"[A-Za-z0-9]{1,39}/[A-Za-z0-9_-]{1,100}", fullmatch=True))
def test_letters_and_digits_are_always_a_name(text: str) -> None:
    assert is_repository(text)


def test_an_existing_repository_has_its_facts() -> None:
    assert known().finding == Finding(Enrichment.OK, FACTS, NOW)


def test_a_missing_repository_is_a_result() -> None:
    assert known(None).finding == Finding(Enrichment.NOT_FOUND)


def test_an_equal_answer_changes_only_the_time_of_the_lookup() -> None:
    again = known().after(LookupResult(FACTS, '"2"'), LATER)

    assert (again.result, again.since, again.checked_at) == (
        LookupResult(FACTS, '"2"'),
        NOW,
        LATER,
    )


def test_another_answer_counts_from_now() -> None:
    gone = known().after(LookupResult(None), LATER)

    assert (gone.result, gone.since, gone.checked_at) == (LookupResult(None), LATER, LATER)


def test_a_lookup_is_fresh_for_its_time_whichever_way_the_clock_is_set() -> None:
    hour = timedelta(hours=1)

    assert known().is_fresh(LATER - timedelta(microseconds=1), hour)
    assert not known().is_fresh(LATER, hour)
    assert not known().is_fresh(NOW - hour, hour)


def test_only_answers_of_github_are_settled() -> None:
    assert [e for e in Enrichment if e.is_settled] == [Enrichment.OK, Enrichment.NOT_FOUND]
