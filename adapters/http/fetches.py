"""Fetches: `POST /fetch`, which runs a fetch and answers with its report."""

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal, get_args

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from adapters.http.answers import answer, documented, guarded
from adapters.http.asgi import request_id_of
from adapters.http.problems import Refusal, reply_to_failures
from application.catalogue import Catalogue
from application.jobs import FindJob
from application.ports.clock import Clock
from domain.dataset import Role
from domain.errors import InvalidValue
from domain.jobs import FetchJob
from domain.reports import Counts, Outcome, SourceReport

#: What a fetch may answer besides 200, 400, 422 and 500.
_PROBLEMS = (401, 403, 408, 409, 413, 415, 429, 501, 502, 503, 504, 507)

Mode = Literal["sync", "task"]
Flag = Literal["true", "false"]
_CHOICES = {"mode": get_args(Mode), "force": get_args(Flag)}


class FetchAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a fetch did; the same for the answer that waits and for the job's own page."""

    job_id: str
    dataset: str
    mode: str
    status: str
    outcome: str | None
    counts: Counts
    sources: tuple[SourceReport, ...]
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next_allowed_at: datetime | None
    status_url: str
    detail: str | msgspec.UnsetType = msgspec.UNSET


def fetch_routes(
    catalogue: Catalogue, find_job: FindJob, clock: Clock, default_dataset: str, body_s: float
) -> list[HTTPRouteHandler]:
    """The routes that fetch; a caller may take `body_s` seconds to send a body."""

    async def run(request: Request[Any, Any, Any], dataset: str, mode: Mode, force: Flag) -> Any:
        fetch = catalogue.fetch(dataset)
        # Before anything else is looked at: to the others the route is closed, whatever they send.
        Role.ANYONE.require(fetch.dataset.fetch_by)
        await _nothing_in(request, body_s)
        if mode == "task":
            raise Refusal(
                HTTPStatus.NOT_IMPLEMENTED,
                "not_implemented",
                "jobs that run by themselves are not there yet; use mode=sync",
            )
        fetched = await fetch(Role.ANYONE, force == "true")
        next_allowed_at = fetch.cadence.next_allowed_at(fetched.freshness)
        told = _told(fetched.job, fetched.outcome, next_allowed_at)
        report = fetched.job.report
        if fetched.outcome is Outcome.FAILED and report is not None:
            name = request_id_of(request.scope)
            return answer(reply_to_failures(report.failures, told, name, clock.now()))
        return Response(told, status_code=200)

    @post(
        "/fetch",
        status_code=200,
        summary=f"Fetch {default_dataset} now",
        responses=documented(FetchAnswer, *_PROBLEMS),
        before_request=guarded(_CHOICES),
        tags=["fetch"],
    )
    async def fetch_default(
        request: Request[Any, Any, Any],
        mode: FromQuery[Mode] = "sync",
        force: FromQuery[Flag] = "false",
    ) -> Response[Any]:
        """Fetch the default dataset."""
        response: Response[Any] = await run(request, default_dataset, mode, force)
        return response

    @post(
        "/fetch/{dataset:str}",
        status_code=200,
        summary="Fetch a dataset now",
        responses=documented(FetchAnswer, 404, *_PROBLEMS),
        before_request=guarded(_CHOICES),
        tags=["fetch"],
    )
    async def fetch_dataset(
        request: Request[Any, Any, Any],
        dataset: FromPath[str],
        mode: FromQuery[Mode] = "sync",
        force: FromQuery[Flag] = "false",
    ) -> Response[Any]:
        """Fetch a dataset."""
        response: Response[Any] = await run(request, dataset, mode, force)
        return response

    @get(
        "/fetch/status/{job_id:str}",
        summary="How a fetch stands, or ended",
        responses=documented(FetchAnswer, 401, 403, 404, 503),
        before_request=guarded(),
        tags=["fetch"],
    )
    async def status(job_id: FromPath[str]) -> Response[FetchAnswer]:
        """One job: its status, its times, and its report once it has ended."""
        job = await find_job(job_id)
        freshness = await catalogue.query(job.dataset).freshness(Role.ANYONE)
        next_allowed_at = catalogue.fetch(job.dataset).cadence.next_allowed_at(freshness)
        outcome = job.report.outcome if job.report else None
        told = _told(job, outcome, next_allowed_at)
        return Response(told, headers={"Cache-Control": "no-store"})

    return [fetch_default, fetch_dataset, status]


def _told(job: FetchJob, outcome: Outcome | None, next_allowed_at: datetime | None) -> FetchAnswer:
    report = job.report
    sources = report.sources if report else ()
    detail: str | msgspec.UnsetType = msgspec.UNSET
    if outcome is Outcome.FRESH:
        sources = tuple(_untouched(source) for source in sources)
        detail = (
            f"nothing was asked: the last fetch ran at {_time(job.finished_at)}"
            f" and the next may run at {_time(next_allowed_at)}"
        )
    return FetchAnswer(
        job_id=job.id,
        dataset=job.dataset,
        mode=job.mode,
        status=job.status.value,
        outcome=outcome.value if outcome else None,
        counts=report.counts if report else Counts(),
        sources=sources,
        queued_at=job.queued_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        next_allowed_at=next_allowed_at,
        status_url=f"/fetch/status/{job.id}",
        detail=detail,
    )


def _untouched(source: SourceReport) -> SourceReport:
    return msgspec.structs.replace(
        source, requests=0, not_modified=0, bytes=0, retries=0, wait_ms=0
    )


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


# ---------------------------------------------------------------- the body nobody needs


async def _nothing_in(request: Request[Any, Any, Any], body_s: float) -> None:
    """A fetch takes no body; an empty JSON object is accepted, and anything else explained."""
    body = await _body(request, body_s)
    if not body:
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if (
        kind != "application/json"
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "a fetch needs no body; if there is one, it is plain application/json",
        )
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "malformed_request", "the body is not valid JSON"
        ) from error
    if not isinstance(value, dict):
        raise _unacceptable("", "a fetch needs no body; if there is one, it is an empty object")
    for name in value:
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        raise _unacceptable(
            pointer, "a fetch takes no fields: what is fetched is named in the path"
        )


def _unacceptable(pointer: str, detail: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, InvalidValue.code, detail, pointer=pointer)


async def _body(request: Request[Any, Any, Any], body_s: float) -> bytes:
    try:
        async with asyncio.timeout(body_s):
            return await request.body()
    except InternalServerException as error:
        # So the framework says that the client has left; there is nobody to read this.
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "malformed_request", "the body did not arrive whole"
        ) from error
    except TimeoutError as error:
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT,
            "body_too_slow",
            f"the body did not arrive within {body_s:g} seconds",
            {"Connection": "close"},
        ) from error
