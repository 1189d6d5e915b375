"""Tasks: what somebody wants done about a repository, and what GitHub says of that."""

from collections.abc import Callable, Mapping, Set
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from domain.dataset import Dataset, Role
from domain.errors import InvalidInput, StaleVersion
from domain.fields import Int64
from domain.repositories import Enrichment, Finding, is_repository

MAX_TITLE = 200
MAX_DESCRIPTION = 10_000

#: Tasks belong to nobody: whoever may write may change any.
WRITE_BY = Role.ANYONE

PENDING = Finding(Enrichment.PENDING)


class TaskStatus(StrEnum):
    """How far a task is."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class TaskEdit(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of a task; what is left out stays as it is."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    status: TaskStatus | msgspec.UnsetType = msgspec.UNSET
    repository: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def said(self) -> dict[str, Any]:
        """The fields that are spoken of, with their values."""
        every = msgspec.structs.asdict(self)
        return {name: value for name, value in every.items() if value is not msgspec.UNSET}

    def check(self) -> None:
        """Refuse what no task may hold; InvalidInput points to the field."""
        for name, value in self.said.items():
            reason = TASKS.fields[name].defect(value)
            if reason is not None:
                raise InvalidInput(f"/{name}", f"{name} {reason}")
            if value is not None and name in _EXPECTED:
                expected, holds = _EXPECTED[name]
                if not holds(value):
                    raise InvalidInput(f"/{name}", f"{name}: expected {expected}")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task, with the facts of its repository as GitHub gave them at `repo_fetched_at`.

    `version` rises with every change, whoever makes it.
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
        """Let a change pass that was made to one of these versions, or to whichever (None)."""
        if seen is not None and self.version not in seen:
            raise StaleVersion(
                f"the task has changed since: it is at version {self.version} now; read it again"
            )

    def edited(self, edit: TaskEdit, finding: Finding, now: datetime) -> "Task":
        """The task as somebody wants it; the finding is of its new repository, if it gets one."""
        task = msgspec.structs.replace(self, **edit.said)
        if task.repository != self.repository:
            task = _enriched(_unknown(task), finding)
        return self._becoming(task, now)

    def enriched(self, finding: Finding, now: datetime) -> "Task":
        """The task after a look at its repository; what GitHub said before outlives a failure."""
        return self._becoming(_enriched(self, finding), now)

    def _becoming(self, task: "Task", now: datetime) -> "Task":
        if task == self:
            return self
        return msgspec.structs.replace(task, version=self.version + 1, updated_at=now)


def new_task(task_id: str, edit: TaskEdit, finding: Finding, now: datetime) -> Task:
    """A task nobody has seen yet; the edit has at least its title and repository."""
    plain = {"description": None, "status": TaskStatus.OPEN}
    task = Task(id=task_id, created_at=now, updated_at=now, **{**plain, **edit.said})
    return _enriched(task, finding)


def task_of(row: Any) -> Task:
    """The task in a stored row."""
    return msgspec.convert(row, Task, from_attributes=True)


#: Tasks are a dataset like any other for whoever reads them. Nothing gives lost columns back here:
#: fields may be added, and neither changed nor taken away.
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
            repo_fetched_at=finding.told_at,
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


#: What a field is expected to be besides its type, in words and as a rule.
_EXPECTED: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "title": (
        f"1 to {MAX_TITLE} characters that are not all blank",
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
