"""The bodies of requests about tasks, and of their answers."""

from types import GenericAlias
from typing import Annotated

import msgspec

from domain.paging import Relation
from domain.tasks import MAX_DESCRIPTION, MAX_TITLE, TASKS, TaskEdit, TaskStatus

#: The patterns are for readers of the document; the rules themselves are the domain's.
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
        description="owner/name, as GitHub has it",
        examples=["encode/httpx"],
        extra_json_schema={
            "pattern": r"^(?![^/]{40})[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
            r"/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$",
        },
    ),
]


class NewTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a user sets of a task."""

    title: Title
    repository: Repository
    description: Description | None = None
    status: TaskStatus = TaskStatus.OPEN

    @property
    def edit(self) -> TaskEdit:
        """The edit it asks for, with every field."""
        return TaskEdit(**msgspec.structs.asdict(self))


class TaskPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The changes to a task, as a JSON merge patch (RFC 7396); null clears the description."""

    title: Title | msgspec.UnsetType = msgspec.UNSET
    repository: Repository | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType | None = msgspec.UNSET
    status: TaskStatus | msgspec.UnsetType = msgspec.UNSET

    @property
    def edit(self) -> TaskEdit:
        """The edit it asks for."""
        return TaskEdit(**msgspec.structs.asdict(self))


class TaskPaging(msgspec.Struct, frozen=True, kw_only=True):
    """Where this page stands, and how to go on from here."""

    limit: int
    offset: int
    next_cursor: str | None
    has_more: bool
    total: int | None
    total_relation: Relation | None


#: Some tasks.
TaskPage = msgspec.defstruct(
    "TaskPage",
    [
        ("data", GenericAlias(list, (TASKS.row,))),
        ("count", int),
        ("page", TaskPaging),
        ("request_id", str),
    ],
)
