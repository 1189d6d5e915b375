"""Tasks: valid values, and the versions that changes make."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import InvalidInput, StaleVersion
from domain.repositories import Enrichment, Finding, RepoFacts
from domain.tasks import PENDING, TASKS, Task, TaskEdit, TaskStatus, new_task, task_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FACTS = RepoFacts("a client", 7, "Python")
OK = Finding(Enrichment.OK, FACTS, NOW)
UNAVAILABLE = Finding(Enrichment.UNAVAILABLE)
NOT_FOUND = Finding(Enrichment.NOT_FOUND)


def task(finding: Finding = OK, **said: Any) -> Task:
    """Return a new task about a/b."""
    return new_task(
        "1", TaskEdit(**{"title": "a title", "repository": "a/b", **said}), finding, NOW
    )


def facts_of(task: Task) -> tuple[Any, ...]:
    """Return what a task says of its repository."""
    return (
        task.enrichment,
        task.repo_description,
        task.repo_stars,
        task.repo_language,
        task.repo_fetched_at,
    )


# ---------------------------------------------------------------- what may be said


@pytest.mark.parametrize(
    "said",
    [
        {"title": "a"},
        {"title": "t" * 200, "description": "d" * 10_000},
        {"description": None},
        {"description": ""},
        {"repository": "encode/httpx", "status": TaskStatus.DONE},
        {},
    ],
)
def test_an_edit_within_the_rules_is_accepted(said: dict[str, Any]) -> None:
    TaskEdit(**said).check()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", " \n"),
        ("title", "t" * 201),
        ("title", "a\0"),
        ("title", "\ud800"),
        ("description", "d" * 10_001),
        ("description", "\0"),
        ("repository", "nowhere"),
        ("repository", "a/.."),
        ("repository", "a/b\0"),
    ],
)
def test_any_other_edit_is_refused_by_the_name_of_its_field(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        TaskEdit(**{field: value}).check()

    assert refused.value.pointer == f"/{field}"
    assert field in refused.value.detail


# ---------------------------------------------------------------- a new task


def test_a_new_task_is_open_and_at_its_first_version() -> None:
    made = task(PENDING)

    assert (made.status, made.version, made.description) == (TaskStatus.OPEN, 1, None)
    assert (made.created_at, made.updated_at) == (NOW, NOW)
    assert facts_of(made) == (Enrichment.PENDING, None, None, None, None)


@pytest.mark.parametrize(
    ("finding", "facts"),
    [
        (OK, (Enrichment.OK, "a client", 7, "Python", NOW)),
        (UNAVAILABLE, (Enrichment.UNAVAILABLE, None, None, None, None)),
        (NOT_FOUND, (Enrichment.NOT_FOUND, None, None, None, None)),
    ],
)
def test_a_new_task_has_the_facts_of_its_repository(
    finding: Finding, facts: tuple[Any, ...]
) -> None:
    assert facts_of(task(finding)) == facts


def test_a_new_task_has_all_given_fields() -> None:
    made = task(description="more", status=TaskStatus.DONE)

    assert (made.title, made.description, made.status) == ("a title", "more", TaskStatus.DONE)


def test_a_stored_row_is_the_task_again() -> None:
    made = task()

    assert task_of(TASKS.stored(made, LATER)) == made


# ---------------------------------------------------------------- changing one


def test_an_edit_makes_the_next_version_and_leaves_the_rest() -> None:
    edited = task().edited(TaskEdit(status=TaskStatus.DONE), PENDING, LATER)

    assert (edited.status, edited.version, edited.updated_at) == (TaskStatus.DONE, 2, LATER)
    assert (edited.title, edited.created_at) == ("a title", NOW)
    assert facts_of(edited) == facts_of(task())


def test_an_edit_that_changes_nothing_makes_no_version() -> None:
    before = task()

    assert before.edited(TaskEdit(title="a title"), PENDING, LATER) is before


def test_another_repository_brings_its_facts() -> None:
    before = task(Finding(Enrichment.OK, RepoFacts("old", 1, None), NOW))

    edited = before.edited(TaskEdit(repository="c/d"), OK, LATER)

    assert (edited.repository, edited.version) == ("c/d", 2)
    assert facts_of(edited) == (Enrichment.OK, "a client", 7, "Python", NOW)


@pytest.mark.parametrize("finding", [PENDING, UNAVAILABLE, NOT_FOUND])
def test_another_repository_keeps_no_facts_of_the_old_one(finding: Finding) -> None:
    edited = task().edited(TaskEdit(repository="c/d"), finding, LATER)

    assert facts_of(edited) == (finding.enrichment, None, None, None, None)


def test_new_facts_make_the_next_version() -> None:
    enriched = task(PENDING).enriched(OK, LATER)

    assert (enriched.version, enriched.updated_at) == (2, LATER)
    assert facts_of(enriched) == facts_of(task())


def test_equal_facts_make_no_version() -> None:
    before = task()

    assert before.enriched(OK, LATER) is before


@pytest.mark.parametrize("finding", [PENDING, UNAVAILABLE])
@pytest.mark.parametrize("before", [OK, NOT_FOUND])
def test_a_failure_removes_no_known_facts(before: Finding, finding: Finding) -> None:
    known = task(before)

    assert known.enriched(finding, LATER) is known


def test_a_failure_changes_a_waiting_task() -> None:
    assert task(PENDING).enriched(UNAVAILABLE, LATER).enrichment is Enrichment.UNAVAILABLE


def test_the_last_facts_of_a_deleted_repository_stay() -> None:
    gone = task().enriched(NOT_FOUND, LATER)

    assert facts_of(gone) == (Enrichment.NOT_FOUND, "a client", 7, "Python", NOW)


# ---------------------------------------------------------------- versions


def test_a_change_to_the_version_that_was_read_passes() -> None:
    task().require(None)
    task().require({1})
    task().require({7, 1})


@pytest.mark.parametrize("seen", [set(), {2}, {0, 7}])
def test_a_change_to_any_other_version_does_not(seen: set[int]) -> None:
    with pytest.raises(StaleVersion, match="version 1"):
        task().require(seen)
