"""What clients send to the routes of tasks, as the OpenAPI document describes it."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.http.openapi.parameters import (
    IF_NONE_MATCH,
    Json,
    condition_parameters,
    control_parameters,
    in_header,
)
from adapters.http.protocol.negotiation import JSON
from adapters.http.tasks.schemas import MERGE_PATCH, NewTask, TaskPatch
from domain.tasks import TASKS

_IF_MATCH = in_header("If-Match", "the ETag of the task as it was read; 412 when it has changed")
#: Tasks come in one format.
_CONTROLS = [each for each in control_parameters(TASKS) if each["name"] != "format"]

_ONE = "/tasks/{task_id}"

#: The parameters that handlers read from the request themselves, by path and method.
BY_HAND: Mapping[tuple[str, str], Sequence[Json]] = {
    ("/tasks", "get"): [*_CONTROLS, *condition_parameters(TASKS)],
    (_ONE, "get"): [IF_NONE_MATCH],
    (_ONE, "put"): [_IF_MATCH],
    (_ONE, "patch"): [_IF_MATCH],
    (_ONE, "delete"): [_IF_MATCH],
}

#: The bodies they read themselves, by media type.
BODIES: Mapping[tuple[str, str], Mapping[str, type[Any]]] = {
    ("/tasks", "post"): {JSON: NewTask},
    (_ONE, "put"): {JSON: NewTask},
    (_ONE, "patch"): {MERGE_PATCH: TaskPatch, JSON: TaskPatch},
}


def describe_parts(components: Json) -> None:
    """Say that `fields=` may leave out of the tasks of a page all but the key."""
    whole = components[TASKS.row.__name__]
    components["TaskPart"] = {**whole, "title": "TaskPart", "required": list(TASKS.key)}
    part = {"$ref": "#/components/schemas/TaskPart"}
    components["TaskPage"]["properties"]["data"]["items"] = part
