"""Tasks: `/tasks`, the records that users make and change themselves."""

from typing import Any

from litestar import Request, Response, delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from adapters.http.datasets.formats import project
from adapters.http.datasets.query_string import read_query
from adapters.http.protocol.access import ANYONE, may_call, role_of
from adapters.http.protocol.asgi import request_id_of
from adapters.http.protocol.bodies import read_json
from adapters.http.protocol.conditional import ANY, etag_of, has, seen_by
from adapters.http.protocol.cursors import CursorSigner, next_page_of, records_of
from adapters.http.protocol.problems import Reply
from adapters.http.protocol.query_params import parameters_of
from adapters.http.protocol.rate_limits import TASK_WRITES, Limiter
from adapters.http.protocol.routing import answer, guarded, identifier, json_reply
from adapters.http.tasks.schemas import MERGE_PATCH, NewTask, TaskPage, TaskPaging, TaskPatch
from adapters.http.tasks.schemas import TASK_RESPONSES as RESPONSES
from application.datasets.query import Reader
from application.tasks.tasks import TaskUseCases
from domain.errors import UnknownParameter
from domain.tasks import TASKS, Task

_CACHED = {"Cache-Control": "no-cache"}


def task_routes(
    tasks: TaskUseCases, limiter: Limiter, signer: CursorSigner, body_s: float
) -> list[HTTPRouteHandler]:
    """The routes of tasks; a caller may take `body_s` seconds to send a body."""

    @get(
        "/tasks",
        summary="Read tasks",
        responses=RESPONSES["list"],
        opt=may_call(ANYONE),
        tags=["tasks"],
    )
    async def find(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The tasks that match, a page at a time: the same parameters as for any dataset."""
        reader = tasks.query.for_role(role_of(request.scope))
        return answer(await _page(request, reader, signer))

    @post(
        "/tasks",
        summary="Make a task",
        responses=RESPONSES["create"],
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["tasks"],
    )
    async def create(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Make a task; what GitHub says of its repository is added, at once or later."""
        await limiter.spend(request.scope, TASK_WRITES)
        body = await read_json(request, NewTask, body_s)
        row = await tasks.create(body.edit, role_of(request.scope))
        return answer(_one(row, 201, Location=f"/tasks/{row.id}"))

    @get(
        "/tasks/{task_id:str}",
        summary="One task",
        responses=RESPONSES["read"],
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["tasks"],
    )
    async def read(request: Request[Any, Any, Any], task_id: FromPath[str]) -> Response[bytes]:
        """One task; its `ETag` is its version."""
        row = await tasks.query.get((identifier(task_id),), role_of(request.scope))
        scope: Any = request.scope
        etag = etag_of(row.version)
        if has(scope, etag, ANY):
            return answer(Reply(304, {**_CACHED, "ETag": etag}, b""))
        return answer(_one(row))

    @put(
        "/tasks/{task_id:str}",
        summary="Replace a task",
        responses=RESPONSES["change"],
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["tasks"],
    )
    async def replace(request: Request[Any, Any, Any], task_id: FromPath[str]) -> Response[bytes]:
        """Replace all that a user says of a task; what is left out is as in a new one."""
        await limiter.spend(request.scope, TASK_WRITES)
        body = await read_json(request, NewTask, body_s)
        row = await tasks.change(
            identifier(task_id), body.edit, role_of(request.scope), seen_by(request.scope)
        )
        return answer(_one(row))

    @patch(
        "/tasks/{task_id:str}",
        summary="Change a task",
        responses=RESPONSES["change"],
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["tasks"],
    )
    async def change(request: Request[Any, Any, Any], task_id: FromPath[str]) -> Response[bytes]:
        """Change the fields that the body names, as a JSON merge patch does."""
        await limiter.spend(request.scope, TASK_WRITES)
        body = await read_json(request, TaskPatch, body_s, MERGE_PATCH)
        row = await tasks.change(
            identifier(task_id), body.edit, role_of(request.scope), seen_by(request.scope)
        )
        return answer(_one(row))

    @delete(
        "/tasks/{task_id:str}",
        status_code=204,
        summary="Delete a task",
        responses=RESPONSES["delete"],
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["tasks"],
    )
    async def remove(request: Request[Any, Any, Any], task_id: FromPath[str]) -> None:
        """Delete a task for good."""
        await tasks.delete(identifier(task_id), role_of(request.scope), seen_by(request.scope))

    return [find, create, read, replace, change, remove]


def _one(row: Any, status: int = 200, **headers: str) -> Reply:
    return json_reply(row, {**_CACHED, "ETag": etag_of(row.version), **headers}, status)


async def _page(
    request: Request[Any, Any, Any], reader: Reader[Task], signer: CursorSigner
) -> Reply:
    parameters = parameters_of(request.scope["query_string"])
    if "format" in dict(parameters):
        raise UnknownParameter("format", "tasks come as JSON alone")
    question = read_query(TASKS, parameters, signer)
    page = await reader.page(question.request)
    headers, cursor = dict(_CACHED), None
    if page.next_cursor is not None:
        cursor = signer.write(records_of(TASKS), page.next_cursor)
        headers["Link"] = next_page_of(request.scope["path"], question.parameters, cursor)
    told = TaskPage(
        data=list(project(TASKS, page.rows, question.fields)),
        count=len(page.rows),
        page=TaskPaging(
            limit=question.request.limit,
            offset=question.request.offset,
            next_cursor=cursor,
            has_more=cursor is not None,
            total=page.total,
            total_relation=page.total_relation,
        ),
        request_id=request_id_of(request.scope),
    )
    return json_reply(told, headers)
