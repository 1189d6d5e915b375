"""Jobs: `GET /fetch/jobs` and `/fetch/status/{job_id}`, which tell what became of fetches."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, delete, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from adapters.http.ingest.schemas import FetchAnswer, retry_after, told
from adapters.http.protocol.access import ADMIN, ANYONE, may_call, role_of
from adapters.http.protocol.asgi import request_id_of, set_job_id
from adapters.http.protocol.cursors import CursorSigner, next_page_of
from adapters.http.protocol.query_params import limit_of, parameters_of
from adapters.http.protocol.routing import CursorPaging, documented, guarded, identifier
from application.datasets.catalogue import Catalogue
from application.jobs.list_jobs import CancelJob, FindJob, ListJobs
from application.ports.system import Clock
from domain.dataset import Role
from domain.errors import UnknownDataset
from domain.jobs import FetchJob, JobStatus
from domain.paging import Cursor

CHOICES: Mapping[str, tuple[str, ...] | None] = {
    "dataset": None,
    "status": tuple(JobStatus),
    "limit": None,
    "cursor": None,
}

#: What the cursors of the list are signed for; no dataset is called so.
_JOBS = "/fetch/jobs"


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some jobs, newest first."""

    data: list[FetchAnswer]
    count: int
    page: CursorPaging
    request_id: str


def job_routes(
    catalogue: Catalogue,
    find_job: FindJob,
    list_jobs: ListJobs,
    cancel_job: CancelJob,
    clock: Clock,
    signer: CursorSigner,
) -> list[HTTPRouteHandler]:
    """The routes that tell of jobs, and call them off."""

    async def next_allowed_at(dataset: str, viewer: Role) -> datetime | None:
        try:
            cadence = catalogue.fetch(dataset).cadence
        except UnknownDataset:
            return None  # it was taken out, and what became of its fetches stays
        reader = catalogue.query(dataset).for_role(viewer)
        return cadence.next_allowed_at(await reader.freshness())

    async def one(request: Request[Any, Any, Any], job: FetchJob) -> Response[FetchAnswer]:
        set_job_id(request.scope, job.id)
        allowed = await next_allowed_at(job.dataset, role_of(request.scope))
        headers = {"Cache-Control": "no-store"}
        if not job.status.is_final:
            headers |= retry_after(job, clock.now())
        return Response(told(job, job.outcome, allowed), headers=headers)

    @get(
        "/fetch/jobs",
        summary="Which fetches there were",
        responses=documented(JobPage, 401, 403, 404, 503),
        before_request=guarded(CHOICES),
        opt=may_call(ANYONE),
        tags=["fetch"],
    )
    async def jobs(request: Request[Any, Any, Any]) -> Response[JobPage]:
        """The latest jobs, newest first."""
        pairs = parameters_of(request.scope["query_string"])
        given = dict(pairs)
        limit, filter = limit_of(given), f"{given.get('dataset', '')} {given.get('status', '')}"
        before = None
        if "cursor" in given:
            [before] = signer.place(_JOBS, given["cursor"], filter)
        status = JobStatus(given["status"]) if "status" in given else None
        viewer = role_of(request.scope)
        found = await list_jobs(viewer, limit + 1, given.get("dataset"), status, before)
        shown, more = found[:limit], len(found) > limit
        allowed = {
            name: await next_allowed_at(name, viewer) for name in {job.dataset for job in shown}
        }
        headers, cursor = {"Cache-Control": "no-store"}, None
        if more:
            cursor = signer.write(_JOBS, Cursor((shown[-1].id,), filter))
            headers["Link"] = next_page_of(request.scope["path"], pairs, cursor)
        return Response(
            JobPage(
                data=[told(job, job.outcome, allowed[job.dataset]) for job in shown],
                count=len(shown),
                page=CursorPaging(limit=limit, next_cursor=cursor, has_more=more),
                request_id=request_id_of(request.scope),
            ),
            headers=headers,
        )

    @get(
        "/fetch/status/{job_id:str}",
        summary="How a fetch stands, or ended",
        responses=documented(FetchAnswer, 401, 403, 404, 503),
        before_request=guarded(),
        opt=may_call(ANYONE),
        tags=["fetch"],
    )
    async def status(
        request: Request[Any, Any, Any], job_id: FromPath[str]
    ) -> Response[FetchAnswer]:
        """One job: its status, its times, and its report once it has ended."""
        return await one(request, await find_job(identifier(job_id), role_of(request.scope)))

    @delete(
        "/fetch/status/{job_id:str}",
        status_code=200,
        summary="Call a fetch off",
        responses=documented(FetchAnswer, 401, 403, 404, 409, 503, 507),
        before_request=guarded(),
        opt=may_call(ADMIN),
        tags=["fetch"],
    )
    async def cancel(
        request: Request[Any, Any, Any], job_id: FromPath[str]
    ) -> Response[FetchAnswer]:
        """Call off a job that has not ended; what its sources have given so far is kept."""
        return await one(request, await cancel_job(identifier(job_id), role_of(request.scope)))

    return [jobs, status, cancel]
