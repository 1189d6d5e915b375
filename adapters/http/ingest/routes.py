"""Fetches: `POST /fetch`, which answers with the report of a fetch, or starts a task."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from litestar import Response, post
from litestar.params import FromPath, HeaderParameter, QueryParameter

from adapters.http.ingest.idempotency import LONGEST_KEY, OnceOnly
from adapters.http.ingest.prefer import LONGEST_WAIT_S, ExecutionPreference, preference_of
from adapters.http.ingest.schemas import FetchAnswer, problem_of, retry_after, to_response
from adapters.http.protocol.access import FETCHER, may_call, role_of
from adapters.http.protocol.asgi import request_id_of, set_job_id
from adapters.http.protocol.bodies import refuse_content
from adapters.http.protocol.problems import Reply
from adapters.http.protocol.rate_limits import FETCH, Limiter
from adapters.http.protocol.routing import Answer, AnyRequest, Use, answer, json_reply, problems
from adapters.http.protocol.waiting import WaitingRoom, while_connected
from application.datasets.catalogue import Catalogue
from application.ingest.fetch import Fetch, Fetched
from application.ports.system import Clock
from domain.dataset import Role
from domain.errors import StoreError, TooManyWaiting

_Mode = Annotated[
    Literal["sync", "task"] | None,
    QueryParameter(
        description="sync answers when the fetch has ended, task at once with 202; takes precedence"
        " over Prefer",
        schema_extra={"default": "sync"},
    ),
]
_Force = Annotated[
    bool,
    QueryParameter(
        description="true ignores the minimum interval, never the upstream's own limits; for admins"
    ),
]
_Prefer = Annotated[
    str,
    HeaderParameter(
        name="Prefer",
        description="respond-async is mode=task; wait=N starts a task and waits up to N seconds for"
        f" its end, at most {LONGEST_WAIT_S} (RFC 7240)",
    ),
]
_Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description=f"1 to {LONGEST_KEY} visible ASCII characters, plain or in double quotes; the"
        " same request with the same key has one effect and gets the same answer for 24 hours",
        schema_extra={
            "pattern": rf"^(?:[!#-~][!-~]{{0,{LONGEST_KEY - 1}}}"
            rf'|"(?:[!#-\[\]-~]|\\["\\]){{1,{LONGEST_KEY}}}")$'
        },
    ),
]
_APPLIED = ("Preference-Applied",)
_ONCE = ("Idempotent-Replayed", *_APPLIED)
_FETCHED = Answer(FetchAnswer, description="The fetch has ended", headers=_ONCE)
_ACCEPTED = Answer(
    FetchAnswer,
    description="The fetch is a task; Location has its status",
    headers=("Location", "Retry-After", *_ONCE),
)


def _operation_id(_handler: Any, _method: Any, path: Sequence[Any]) -> str:
    """Return what a client calls each of the two paths; one of them takes a name."""
    return "fetch" if len(path) == 1 else "fetch_dataset"


@post(
    ["/fetch", "/fetch/{dataset:str}"],
    status_code=200,
    operation_id=_operation_id,
    summary="Fetch a dataset",
    responses={
        200: _FETCHED,
        202: _ACCEPTED,
        **problems(401, 403, 404, 408, 413, 415, 429, 507),
        **problems(409, 502, 503, 504, headers=_APPLIED),
    },
    opt=may_call(FETCHER),
    tags=["fetch"],
)
async def fetch(
    request: AnyRequest,
    catalogue: Use[Catalogue],
    once_only: Use[OnceOnly],
    limiter: Use[Limiter],
    waiting_room: Use[WaitingRoom],
    clock: Use[Clock],
    default_dataset: Use[str],
    dataset: FromPath[str | None] = None,
    mode: _Mode = None,
    force: _Force = False,
    prefer: _Prefer = "",
    idempotency_key: _Key = None,
) -> Response[FetchAnswer]:
    """Fetch and return the report; with `mode=task`, return at once and fetch later.

    A path without a name fetches the default dataset.
    """
    use_case, viewer = catalogue.fetch(dataset or default_dataset), role_of(request.scope)
    # First of all, because the route is closed to other roles, whatever they send.
    viewer.require(use_case.dataset.fetch_by)
    await limiter.spend(request.scope, FETCH)
    await refuse_content(request)
    preference = preference_of(mode, prefer, use_case.deadline.total_seconds())

    async def make(job_id: str | None) -> Reply:
        fetched = await _fetched(use_case, viewer, preference, force, job_id)
        set_job_id(request.scope, fetched.job.id)
        report = to_response(fetched)
        return _reply(fetched, report, preference, request_id_of(request.scope), clock.now())

    with contextlib.ExitStack() as stack:
        if preference.waits:
            try:
                stack.enter_context(waiting_room.place(request.scope))
            except TooManyWaiting:
                if not preference.is_task:
                    raise
                preference = preference._replace(wait_s=0)  # waiting is only a preference
        answering = once_only(request.scope, idempotency_key, make)
        return answer(await while_connected(request, answering))


FETCH_ROUTES = [fetch]


async def _fetched(
    fetch: Fetch[Any],
    viewer: Role,
    preference: ExecutionPreference,
    force: bool,
    job_id: str | None,
) -> Fetched:
    if not preference.is_task:
        return await fetch(viewer, force, job_id)
    started = await fetch.start(viewer, force, job_id=job_id)
    if started.job.status.is_final or not preference.wait_s:
        return started
    try:
        return await fetch.wait(started.job.id, preference.wait_s)
    except StoreError:
        return started  # waiting is only a preference, and the task goes on


# ---------------------------------------------------------------- replies


def _reply(
    fetched: Fetched,
    report: FetchAnswer,
    preference: ExecutionPreference,
    request_id: str,
    now: datetime,
) -> Reply:
    """Return the reply to a fetch that has ended, or that continues as a task."""
    job = fetched.job
    applied = {"Preference-Applied": preference.applied} if preference.applied else {}
    if preference.is_task and not job.status.is_final:
        headers = {"Location": report.status_url, **retry_after(job, now)}
        sent = json_reply(report, headers, HTTPStatus.ACCEPTED)
    else:
        sent = problem_of(fetched, report, request_id, now) or json_reply(report)
    sent.headers.update(applied)
    return sent
