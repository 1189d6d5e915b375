"""Jobs: `GET /fetch/jobs` and `/fetch/status/{job_id}`."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, delete, get
from litestar.params import QueryParameter

from adapters.http.ingest.schemas import FetchAnswer, answer_of, retry_after
from adapters.http.protocol.access import ADMIN, ANYONE, may_call, role_of
from adapters.http.protocol.asgi import request_id_of, set_job_id
from adapters.http.protocol.cursors import CursorSigner
from adapters.http.protocol.rate_limits import FETCH, Limited
from adapters.http.protocol.routing import (
    OPTIONAL,
    Answer,
    AnyRequest,
    CursorPaging,
    CursorText,
    Identifier,
    Limit,
    Use,
    identifier,
    paging_of,
    problems,
)
from application.datasets.catalogue import Catalogue
from application.jobs.list_jobs import CancelJob, FindJob, ListJobs
from application.ports.system import Clock
from domain.dataset import Role
from domain.errors import UnknownDataset
from domain.jobs import FetchJob, JobStatus
from domain.paging import DEFAULT_LIMIT, Cursor

#: The list's name in cursors; no dataset has this name.
_JOBS = "/fetch/jobs"
_ASK_AGAIN = (f"Retry-After{OPTIONAL}",)

_Dataset = Annotated[str | None, QueryParameter(description="fetches of this dataset only")]
_Status = Annotated[JobStatus | None, QueryParameter(description="fetches in this status only")]


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of jobs, newest first."""

    data: list[FetchAnswer]
    count: int
    page: CursorPaging
    request_id: str


@get(
    "/fetch/jobs",
    operation_id="list_jobs",
    summary="List jobs",
    responses={200: Answer(JobPage, headers=("Link",)), **problems(401, 403, 404, 503)},
    opt=may_call(ANYONE),
    tags=["fetch"],
)
async def jobs(
    request: AnyRequest,
    list_jobs: Use[ListJobs],
    catalogue: Use[Catalogue],
    signer: Use[CursorSigner],
    dataset: _Dataset = None,
    status: _Status = None,
    limit: Limit = DEFAULT_LIMIT,
    after: CursorText = None,
    *,
    clock: Use[Clock],
) -> Response[JobPage]:
    """Return the latest jobs, newest first."""
    viewer, filter = role_of(request.scope), f"{dataset or ''} {status or ''}"
    before = None
    if after is not None:
        [before] = signer.position(_JOBS, after, filter)
    found = await list_jobs(viewer, limit + 1, dataset, status, before)
    shown = found[:limit]
    last = Cursor((shown[-1].id,), filter) if len(found) > limit else None
    paging, headers = paging_of(request, signer, _JOBS, limit, last)
    names = {job.dataset for job in shown}
    now = clock.now()
    allowed = {name: await _next_allowed_at(catalogue, name, viewer, now) for name in names}
    page = JobPage(
        data=[answer_of(job, job.outcome, allowed[job.dataset]) for job in shown],
        count=len(shown),
        page=paging,
        request_id=request_id_of(request.scope),
    )
    return Response(page, headers=headers)


@get(
    "/fetch/status/{job_id:str}",
    operation_id="get_job",
    summary="Get a job",
    responses={200: Answer(FetchAnswer, headers=_ASK_AGAIN), **problems(401, 403, 404, 503)},
    opt=may_call(ANYONE),
    tags=["fetch"],
)
async def status(
    request: AnyRequest,
    job_id: Identifier,
    find_job: Use[FindJob],
    catalogue: Use[Catalogue],
    clock: Use[Clock],
) -> Response[FetchAnswer]:
    """Return one job: its status, its times, and its report once it has ended."""
    job = await find_job(identifier(job_id), role_of(request.scope))
    return await _one(request, job, catalogue, clock)


@delete(
    "/fetch/status/{job_id:str}",
    status_code=200,
    operation_id="cancel_job",
    summary="Cancel a job",
    responses=problems(401, 403, 404, 409, 503, 507),
    guards=[Limited(FETCH)],
    opt=may_call(ADMIN),
    tags=["fetch"],
)
async def cancel(
    request: AnyRequest,
    job_id: Identifier,
    cancel_job: Use[CancelJob],
    catalogue: Use[Catalogue],
    clock: Use[Clock],
) -> Response[FetchAnswer]:
    """Cancel a job that has not ended; records stored so far are kept."""
    job = await cancel_job(identifier(job_id), role_of(request.scope))
    return await _one(request, job, catalogue, clock)


JOB_ROUTES = [jobs, status, cancel]


async def _next_allowed_at(
    catalogue: Catalogue, dataset: str, viewer: Role, now: datetime
) -> datetime | None:
    try:
        cadence = catalogue.fetch(dataset).cadence
    except UnknownDataset:
        return None  # the dataset was removed, and its jobs are kept
    reader = catalogue.query(dataset).for_role(viewer)
    return cadence.next_allowed_at(await reader.freshness(), now)


async def _one(
    request: AnyRequest, job: FetchJob, catalogue: Catalogue, clock: Clock
) -> Response[FetchAnswer]:
    set_job_id(request.scope, job.id)
    now, viewer = clock.now(), role_of(request.scope)
    allowed = await _next_allowed_at(catalogue, job.dataset, viewer, now)
    headers = {} if job.status.is_final else retry_after(job, now)
    return Response(answer_of(job, job.outcome, allowed), headers=headers)
