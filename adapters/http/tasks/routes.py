"""Tasks: `/tasks`, the records that users create and change themselves."""

from typing import Any

from litestar import Response, delete, get, patch, post, put
from litestar.params import JSONBody, QueryParams

from adapters.http.datasets.export import send_export
from adapters.http.datasets.formats import project
from adapters.http.datasets.query_string import Format, ReadQuery, read_query, takes_list
from adapters.http.protocol.access import ANYONE, WRITER, may_call, role_of
from adapters.http.protocol.asgi import Receive, Scope, Send, header_of, lines, request_id_of
from adapters.http.protocol.bodies import PatchBody
from adapters.http.protocol.conditional import (
    ANY,
    IfMatch,
    IfNoneMatch,
    etag_of,
    matches,
    versions_in,
)
from adapters.http.protocol.cursors import CursorSigner, next_page_of, records_of
from adapters.http.protocol.links import link_to
from adapters.http.protocol.problems import Reply
from adapters.http.protocol.query_params import parameters_of
from adapters.http.protocol.rate_limits import TASK_WRITES, Limited
from adapters.http.protocol.routing import (
    UNCHANGED,
    Answer,
    AnyRequest,
    Identifier,
    Use,
    answer,
    filtered_like,
    identifier,
    json_reply,
    problems,
)
from adapters.http.tasks.schemas import (
    NewTask,
    TaskPage,
    TaskPaging,
    TaskPatch,
    TaskReplacement,
)
from application.datasets.query import Reader
from application.tasks.tasks import TaskUseCases
from domain.tasks import TASKS, Task

_CACHED = {"Cache-Control": "private, no-cache"}
_LISTED = {**_CACHED, "Vary": "Accept, Accept-Encoding, Authorization"}
#: The problems of a route with a body.
_BODY = (408, 413, 415, 507)
_TASK = Answer(TASKS.row, headers=("ETag",))
_TASKS = Answer(TaskPage, headers=("Link", "Content-Disposition"))


@get(
    "/tasks",
    operation_id="list_tasks",
    summary="List tasks",
    responses={200: _TASKS, **problems(401, 403, 406, 503)},
    opt=may_call(ANYONE) | filtered_like(TASKS),
    tags=["tasks"],
)
async def find(
    request: AnyRequest, query: QueryParams, tasks: Use[TaskUseCases], signer: Use[CursorSigner]
) -> Response[Any]:
    """Return the tasks that match: a page as JSON, or all of them as NDJSON or CSV."""
    reader = tasks.query.for_role(role_of(request.scope))
    parameters = parameters_of(request.scope["query_string"], takes_list)
    accept = header_of(request.scope, b"accept")
    parsed = read_query(TASKS, parameters, signer, accept)
    if parsed.format is not Format.JSON:
        return _Export(reader, parsed)
    return answer(await _page(request, reader, parsed, signer))


@post(
    "/tasks",
    operation_id="create_task",
    summary="Create a task",
    responses={
        201: Answer(TASKS.row, headers=("Location", "ETag")),
        **problems(401, 403, 409, 503, *_BODY),
    },
    guards=[Limited(TASK_WRITES)],
    opt=may_call(WRITER),
    tags=["tasks"],
)
async def create(
    request: AnyRequest, data: JSONBody[NewTask], tasks: Use[TaskUseCases]
) -> Response[Any]:
    """Create a task; facts about its repository are added from GitHub, at once or later."""
    row = await tasks.create(data.edit, role_of(request.scope))
    return answer(_one(row, 201, Location=link_to(f"/tasks/{row.id}")))


@get(
    "/tasks/{task_id:str}",
    operation_id="get_task",
    summary="Get a task",
    responses={200: _TASK, 304: UNCHANGED, **problems(401, 403, 404, 503)},
    opt=may_call(ANYONE),
    tags=["tasks"],
)
async def read(
    request: AnyRequest,
    task_id: Identifier,
    tasks: Use[TaskUseCases],
    if_none_match: IfNoneMatch = "",
) -> Response[Any]:
    """Return one task; its `ETag` is its version."""
    row = await tasks.query.get((identifier(task_id),), role_of(request.scope))
    etag = etag_of(row.version)
    if matches(if_none_match, etag, ANY):
        return answer(Reply(304, {**_CACHED, "ETag": etag}, b""))
    return answer(_one(row))


@put(
    "/tasks/{task_id:str}",
    operation_id="replace_task",
    summary="Replace a task",
    responses={200: _TASK, **problems(401, 403, 404, 412, 503, *_BODY)},
    guards=[Limited(TASK_WRITES)],
    opt=may_call(WRITER),
    tags=["tasks"],
)
async def replace(
    request: AnyRequest,
    task_id: Identifier,
    data: JSONBody[TaskReplacement],
    tasks: Use[TaskUseCases],
    if_match: IfMatch = "",
) -> Response[Any]:
    """Replace the fields that users set; omitted ones get their defaults.

    A task may be sent as it was read: read-only fields have no effect.
    """
    data.check(task_id)
    role, versions = role_of(request.scope), versions_in(if_match)
    return answer(_one(await tasks.change(identifier(task_id), data.edit, role, versions)))


@patch(
    "/tasks/{task_id:str}",
    operation_id="change_task",
    summary="Change a task",
    responses={200: _TASK, **problems(401, 403, 404, 412, 503, *_BODY)},
    guards=[Limited(TASK_WRITES)],
    opt=may_call(WRITER),
    tags=["tasks"],
)
async def change(
    request: AnyRequest,
    task_id: Identifier,
    data: PatchBody[TaskPatch],
    tasks: Use[TaskUseCases],
    if_match: IfMatch = "",
) -> Response[Any]:
    """Change the fields that the body names, as a JSON merge patch does."""
    role, versions = role_of(request.scope), versions_in(if_match)
    return answer(_one(await tasks.change(identifier(task_id), data.edit, role, versions)))


@delete(
    "/tasks/{task_id:str}",
    status_code=204,
    operation_id="delete_task",
    summary="Delete a task",
    responses=problems(401, 403, 404, 412, 503, 507),
    guards=[Limited(TASK_WRITES)],
    opt=may_call(WRITER),
    tags=["tasks"],
)
async def remove(
    request: AnyRequest, task_id: Identifier, tasks: Use[TaskUseCases], if_match: IfMatch = ""
) -> None:
    """Delete a task permanently."""
    await tasks.delete(identifier(task_id), role_of(request.scope), versions_in(if_match))


TASK_ROUTES = [find, create, read, replace, change, remove]


def _one(row: Any, status: int = 200, **headers: str) -> Reply:
    return json_reply(row, {**_CACHED, "ETag": etag_of(row.version), **headers}, status)


class _Export(Response[Any]):
    """A response that streams all tasks that match, as the exports of datasets do."""

    def __init__(self, reader: Reader[Task], query: ReadQuery) -> None:
        super().__init__(None)
        self._reader = reader
        self._query = query

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return the ASGI application that sends the export."""
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {**_LISTED, "Content-Type": self._query.format.media_type}
        sent = tuple(lines(headers))
        await send_export(scope, self._reader, self._query, sent, receive, send)


async def _page(
    request: AnyRequest, reader: Reader[Task], query: ReadQuery, signer: CursorSigner
) -> Reply:
    page = await reader.page(query.request)
    headers, cursor = dict(_LISTED), None
    if page.next_cursor is not None:
        cursor = signer.write(records_of(TASKS), page.next_cursor)
        headers["Link"] = next_page_of(request.scope["path"], query.parameters, cursor)
    listed = TaskPage(
        data=list(project(TASKS, page.rows, query.fields)),
        count=len(page.rows),
        page=TaskPaging(
            limit=query.request.limit,
            offset=query.request.offset,
            next_cursor=cursor,
            has_more=cursor is not None,
            total=page.total,
            total_relation=page.total_relation,
        ),
        request_id=request_id_of(request.scope),
    )
    return json_reply(listed, headers)
