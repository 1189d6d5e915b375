"""What clients send of tasks, and what they are answered, for the routes and their document."""

from types import GenericAlias
from typing import Annotated, Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec

from adapters.http.protocol.routing import documented
from domain.paging import Relation
from domain.tasks import MAX_DESCRIPTION, MAX_TITLE, TASKS, TaskEdit, TaskStatus

MERGE_PATCH = "application/merge-patch+json"

#: The patterns are for whoever reads the document; the rules themselves are the domain's.
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
    """All that a user says of a task."""

    title: Title
    repository: Repository
    description: Description | None = None
    status: TaskStatus = TaskStatus.OPEN

    @property
    def edit(self) -> TaskEdit:
        """What it says, with nothing left out."""
        return TaskEdit(**msgspec.structs.asdict(self))


class TaskPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about a task, as RFC 7396 has it; null clears the description."""

    title: Title | msgspec.UnsetType = msgspec.UNSET
    repository: Repository | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType | None = msgspec.UNSET
    status: TaskStatus | msgspec.UnsetType = msgspec.UNSET

    @property
    def edit(self) -> TaskEdit:
        """What it says."""
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


def _responses(kind: Any, *statuses: int, done: int = 200) -> dict[int, ResponseSpec]:
    return documented(kind, 401, 403, 503, *statuses, done=done)


def _cached(kind: Any, *statuses: int) -> dict[int, ResponseSpec]:
    """What a route may answer whose client may know the answer already."""
    unchanged = "Nothing has changed since the answer with that ETag"
    nothing = ResponseSpec(None, generate_examples=False, description=unchanged)
    return {**_responses(kind, *statuses), 304: nothing}


_BODY = (408, 413, 415, 507)
_CHANGE = (404, 412)

#: What each route may answer.
TASK_RESPONSES: dict[str, dict[int, ResponseSpec]] = {
    "list": _responses(TaskPage),
    "create": _responses(TASKS.row, *_BODY, done=201),
    "read": _cached(TASKS.row, 404),
    "change": _responses(TASKS.row, *_BODY, *_CHANGE),
    "delete": _responses(None, 507, *_CHANGE, done=204),
}
