"""The bodies of requests and answers about tasks."""

from datetime import datetime
from types import GenericAlias
from typing import Annotated, TypeVar

import msgspec

from domain.errors import InvalidInput
from domain.paging import Relation
from domain.repositories import Enrichment
from domain.tasks import MAX_DESCRIPTION, MAX_TITLE, TASKS, TaskEdit, TaskStatus

#: The patterns are for the OpenAPI document; the domain checks the values.
Title = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=MAX_TITLE,
        extra_json_schema={"pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"},
    ),
]
Description = Annotated[
    str,
    msgspec.Meta(max_length=MAX_DESCRIPTION, extra_json_schema={"pattern": r"^[^\u0000]*$"}),
]
Repository = Annotated[
    str,
    msgspec.Meta(
        description="owner/name on GitHub",
        examples=["encode/httpx"],
        extra_json_schema={
            "pattern": r"^(?![^/]{40})[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
            r"/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$",
        },
    ),
]


class NewTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new task: the fields that users set."""

    title: Title
    repository: Repository
    description: Description | None = None
    status: TaskStatus = TaskStatus.OPEN

    @property
    def edit(self) -> TaskEdit:
        """The edit of every field."""
        return TaskEdit(
            title=self.title,
            repository=self.repository,
            description=self.description,
            status=self.status,
        )


T = TypeVar("T")
_Time = Annotated[datetime, msgspec.Meta(tz=True)]
#: A read-only field, accepted so that a task may be sent as it was read.
ReadOnly = Annotated[T | msgspec.UnsetType, msgspec.Meta(description="of no effect")]


class TaskReplacement(NewTask, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task as it was read, with changes; `id` must be that of the path."""

    id: Annotated[
        str | msgspec.UnsetType, msgspec.Meta(description="the identifier in the path")
    ] = msgspec.UNSET
    repo_description: ReadOnly[str | None] = msgspec.UNSET
    # JSON has one type of number: 5.0 is an integer, too.
    repo_stars: ReadOnly[float | None] = msgspec.UNSET
    repo_language: ReadOnly[str | None] = msgspec.UNSET
    repo_fetched_at: ReadOnly[_Time | None] = msgspec.UNSET
    enrichment: ReadOnly[Enrichment] = msgspec.UNSET
    version: ReadOnly[float] = msgspec.UNSET
    created_at: ReadOnly[_Time] = msgspec.UNSET
    updated_at: ReadOnly[_Time] = msgspec.UNSET
    _changed_at: ReadOnly[_Time] = msgspec.UNSET

    def check(self, task_id: str) -> None:
        """Raise InvalidInput if the body is another task than the path."""
        if self.id not in (msgspec.UNSET, task_id):
            raise InvalidInput("/id", "the body is another task than the path; leave out id")


class TaskPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The changes to a task, as a JSON merge patch (RFC 7396); null clears the description."""

    title: Title | msgspec.UnsetType = msgspec.UNSET
    repository: Repository | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType | None = msgspec.UNSET
    status: TaskStatus | msgspec.UnsetType = msgspec.UNSET

    @property
    def edit(self) -> TaskEdit:
        """The edit of the given fields."""
        return TaskEdit(**msgspec.structs.asdict(self))


class TaskPaging(msgspec.Struct, frozen=True, kw_only=True):
    """The position of a page, and the cursor of the next one."""

    limit: int
    offset: int
    next_cursor: str | None
    has_more: bool
    total: int | None
    total_relation: Relation | None


#: A page of tasks.
TaskPage = msgspec.defstruct(
    "TaskPage",
    [
        ("data", GenericAlias(list, (TASKS.row,))),
        ("count", int),
        ("page", TaskPaging),
        ("request_id", str),
    ],
)
