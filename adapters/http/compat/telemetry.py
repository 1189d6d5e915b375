"""Points: `/api/data` and `/api/populate`, in the shape that telemetry clients know."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from adapters.http.ingest.schemas import FetchAnswer, problem_of, told_of
from adapters.http.protocol.access import ADMIN, USER, may_call, role_of
from adapters.http.protocol.asgi import request_id_of, set_job_id
from adapters.http.protocol.problems import Reply, reply, reply_to_failures
from adapters.http.protocol.query_params import number_of, parameters_of
from adapters.http.protocol.rate_limits import FETCH, Limiter
from adapters.http.protocol.routing import answer, documented, guarded, json_reply
from application.datasets.catalogue import Catalogue
from application.datasets.fetch_one import FetchedOne, FetchOne
from application.ports.system import Clock
from domain.builtin.data_points import DATA_POINTS
from domain.errors import InvalidValue, SourceBlocked, TooManyRequests
from domain.filters import Condition, Filter, Operator
from domain.paging import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, PageRequest, Sort
from domain.reports import Outcome

CHOICES: Mapping[str, None] = dict.fromkeys(("start", "end", "skip", "limit"))

_TIME = DATA_POINTS.fields["time"]
_OLDEST_FIRST = Sort.parse(DATA_POINTS, _TIME.name)


class Point(msgspec.Struct, frozen=True):
    """One measurement."""

    time: datetime
    value: float
    valid: bool
    tags: list[str]


def point_routes(
    catalogue: Catalogue, populate: FetchOne, limiter: Limiter, clock: Clock
) -> list[HTTPRouteHandler]:
    """The routes of the telemetry's clients."""

    @get(
        "/api/data",
        summary="Data points, oldest first",
        responses=documented(list[Point], 401, 503),
        before_request=guarded(CHOICES),
        opt=may_call(USER),
        tags=["points"],
    )
    async def data(request: Request[Any, Any, Any]) -> Response[list[Point]]:
        """The points between two moments, both included; users see the valid ones."""
        given = dict(parameters_of(request.scope["query_string"]))
        page = await catalogue.query(DATA_POINTS.name)(_asked(given), role_of(request.scope))
        return Response([_point(row) for row in page.rows], headers={"Cache-Control": "no-store"})

    async def populated(request: Request[Any, Any, Any]) -> Response[bytes]:
        await limiter.spend(request.scope, FETCH)
        came = await populate(DATA_POINTS.name, role_of(request.scope))
        set_job_id(request.scope, came.fetched.job.id)
        cadence = catalogue.fetch(DATA_POINTS.name).cadence
        report = told_of(came.fetched, cadence)
        return answer(_reply(came, report, request_id_of(request.scope), clock.now()))

    described: dict[str, Any] = {
        "status_code": HTTPStatus.OK,
        "summary": "Fetch one data point now, and return it",
        "responses": documented(Point, 401, 403, 409, 429, 502, 503, 504, 507),
        "before_request": guarded(),
        "opt": may_call(ADMIN),
        "tags": ["points"],
    }

    @get("/api/populate", operation_id="populate", **described)
    async def get_populate(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Fetch one data point now, whatever the minimum interval, and return it."""
        return await populated(request)

    @post("/api/populate", operation_id="populate_by_post", **described)
    async def post_populate(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Fetch one data point now, whatever the minimum interval, and return it."""
        return await populated(request)

    return [data, get_populate, post_populate]


def _asked(given: Mapping[str, str]) -> PageRequest:
    bounds = {"start": Operator.GTE, "end": Operator.LTE}
    conditions = [
        Condition(_TIME, operator, _moment(name, given[name]))
        for name, operator in bounds.items()
        if name in given
    ]
    return PageRequest(
        filter=Filter(tuple(conditions)),
        sort=_OLDEST_FIRST,
        limit=number_of(given, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT),
        offset=number_of(given, "skip", 0, 0, MAX_OFFSET),
    )


def _moment(name: str, text: str) -> datetime:
    try:
        moment: datetime = _TIME.parse(text)
    except ValueError as error:
        raise InvalidValue(name, str(error)) from error
    return moment


def _point(row: Any) -> Point:
    return Point(row.time, row.value, row.valid, list(row.tags))


def _reply(came: FetchedOne, report: FetchAnswer, request_id: str, now: datetime) -> Reply:
    job = came.fetched.job
    failures = job.report.failures if job.report else []
    if came.record is not None and came.fetched.outcome is not Outcome.FAILED:
        return json_reply(_point(came.record), {"Cache-Control": "no-store"})
    blocked = [failure for failure in failures if failure.code == SourceBlocked.code]
    if blocked:
        # Not our trouble but the caller's pace: the upstream may not be asked so often.
        wait_s = max(((f.retry_at - now).total_seconds() for f in blocked if f.retry_at), default=1)
        raise TooManyRequests(blocked[0].detail, wait_s)
    if failures:
        return reply_to_failures(failures, report, request_id, now)
    problem = problem_of(came.fetched, report, request_id, now)
    return problem or reply(
        HTTPStatus.BAD_GATEWAY,
        "unexpected_content",
        "the upstream's answer holds no point that can be read; it waits in quarantine",
        request_id,
        report=report,
    )
