"""Tasks: notes of users about GitHub repositories, enriched with facts from GitHub."""

from collections.abc import Callable, Mapping, Set
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from domain.dataset import Dataset, Role
from domain.errors import InvalidInput, StaleVersion, TooManyTasks
from domain.fields import Int64
from domain.repositories import Enrichment, Finding, is_repository

MAX_TITLE = 200
MAX_DESCRIPTION = 10_000
#: The most tasks that may exist, unless a setting says otherwise.
MAX_TASKS = 10_000

#: Tasks have no owner: every caller may change any of them.
WRITE_BY = Role.ANYONE

PENDING = Finding(Enrichment.PENDING)


class TaskStatus(StrEnum):
    """The progress of a task."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class TaskEdit(msgspec.Struct, frozen=True, kw_only=True):
    """An edit of a task; fields that are not given stay unchanged."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    status: TaskStatus | msgspec.UnsetType = msgspec.UNSET
    repository: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def given(self) -> dict[str, Any]:
        """Return the given fields with their values."""
        every = msgspec.structs.asdict(self)
        return {name: value for name, value in every.items() if value is not msgspec.UNSET}

    def check(self) -> None:
        """Raise InvalidInput, with a pointer to the field, for an invalid value."""
        for name, value in self.given.items():
            reason = TASKS.fields[name].defect(value)
            if reason is not None:
                raise InvalidInput(f"/{name}", f"{name} {reason}")
            if value is not None and name in _EXPECTED:
                expected, holds = _EXPECTED[name]
                if not holds(value):
                    raise InvalidInput(f"/{name}", f"{name}: expected {expected}")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task, with the facts of its repository as of `repo_fetched_at`.

    `version` increases with every change, including those by a job.
    """

    id: str
    title: str
    description: str | None
    status: TaskStatus
    repository: str
    repo_description: str | None = None
    repo_stars: Int64 | None = None
    repo_language: str | None = None
    repo_fetched_at: datetime | None = None
    enrichment: Enrichment = Enrichment.PENDING
    version: Int64 = 1
    created_at: datetime
    updated_at: datetime

    def require(self, seen: Set[int] | None) -> None:
        """Raise StaleVersion unless the task is at one of these versions; None allows any."""
        if seen is not None and self.version not in seen:
            raise StaleVersion(
                f"the task has changed: it is now at version {self.version}; read it again"
            )

    def edited(self, edit: TaskEdit, finding: Finding, now: datetime) -> "Task":
        """Return the edited task; `finding` is about its new repository, if that changes."""
        task = msgspec.structs.replace(self, **edit.given)
        if task.repository != self.repository:
            task = _enriched(_unknown(task), finding)
        return self._becoming(task, now)

    def enriched(self, finding: Finding, now: datetime) -> "Task":
        """Return the task after a lookup of its repository; a failure keeps known facts."""
        return self._becoming(_enriched(self, finding), now)

    def _becoming(self, task: "Task", now: datetime) -> "Task":
        if task == self:
            return self
        return msgspec.structs.replace(task, version=self.version + 1, updated_at=now)


def new_task(task_id: str, edit: TaskEdit, finding: Finding, now: datetime) -> Task:
    """Return a new task; the edit has at least its title and repository."""
    plain = {"description": None, "status": TaskStatus.OPEN}
    task = Task(id=task_id, created_at=now, updated_at=now, **{**plain, **edit.given})
    return _enriched(task, finding)


def require_room(count: int, most: int) -> None:
    """Raise TooManyTasks if there are `most` tasks already."""
    if count >= most:
        raise TooManyTasks(f"there are {most} tasks, which is the limit; delete some first")


def task_of(row: Any) -> Task:
    """Return the task of a stored row."""
    return msgspec.convert(row, Task, from_attributes=True)


#: Tasks are read like any other dataset. Their columns cannot be rebuilt from payloads, so fields
#: may be added, but neither changed nor removed.
TASKS = Dataset(
    name="tasks",
    record=Task,
    key=("id",),
    default_sort="-created_at",
    indexes=(
        ("created_at",),
        ("updated_at",),
        ("status", "created_at"),
        ("repository",),
        ("enrichment", "repository"),
    ),
)


def _enriched(task: Task, finding: Finding) -> Task:
    facts = finding.facts
    if facts is not None:
        return msgspec.structs.replace(
            task,
            enrichment=finding.enrichment,
            repo_description=facts.description,
            repo_stars=facts.stars,
            repo_language=facts.language,
            repo_fetched_at=finding.since,
        )
    if task.enrichment.is_settled and not finding.enrichment.is_settled:
        return task
    return msgspec.structs.replace(task, enrichment=finding.enrichment)


def _unknown(task: Task) -> Task:
    return msgspec.structs.replace(
        task,
        enrichment=Enrichment.PENDING,
        repo_description=None,
        repo_stars=None,
        repo_language=None,
        repo_fetched_at=None,
    )


#: The rules of a field besides its type, as text and as a function.
_EXPECTED: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "title": (
        f"1 to {MAX_TITLE} characters, not all blank",
        lambda text: 0 < len(text) <= MAX_TITLE and not text.isspace(),
    ),
    "description": (
        f"at most {MAX_DESCRIPTION} characters",
        lambda text: len(text) <= MAX_DESCRIPTION,
    ),
    "repository": (
        "owner/name: the owner up to 39 letters, digits and single hyphens,"
        " the name up to 100 of those and . _ -",
        is_repository,
    ),
}
