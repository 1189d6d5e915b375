"""Data points: `/api/data` and `/api/populate`, in the form of the telemetry API."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import QueryParameter

from adapters.http.ingest.schemas import FetchAnswer, problem_of, to_response
from adapters.http.protocol.access import ADMIN, USER, may_call, role_of
from adapters.http.protocol.asgi import request_id_of, set_job_id
from adapters.http.protocol.problems import Reply, reply, reply_to_failures
from adapters.http.protocol.rate_limits import FETCH, Limited
from adapters.http.protocol.routing import (
    AnyRequest,
    Limit,
    Use,
    answer,
    json_reply,
    problems,
)
from adapters.http.protocol.waiting import WaitingRoom
from application.datasets.catalogue import Catalogue
from application.datasets.fetch_one import FetchedOne, FetchOne
from application.ports.system import Clock
from domain.builtin.data_points import DATA_POINTS
from domain.errors import SourceBlocked, TooManyRequests
from domain.filters import Condition, Filter, Operator
from domain.paging import DEFAULT_LIMIT, MAX_OFFSET, PageRequest, Sort
from domain.reports import Outcome

_TIME = DATA_POINTS.fields["time"]
_OLDEST_FIRST = Sort.parse(DATA_POINTS, _TIME.name)

_Start = Annotated[datetime | None, QueryParameter(description="points from this time on")]
_End = Annotated[datetime | None, QueryParameter(description="points up to this time, included")]
_Skip = Annotated[int, QueryParameter(ge=0, le=MAX_OFFSET, description="points to skip")]


class Point(msgspec.Struct, frozen=True):
    """One measurement."""

    time: datetime
    value: float
    valid: bool
    tags: list[str]


@get(
    "/api/data",
    operation_id="list_points",
    summary="List data points",
    responses=problems(401, 503),
    opt=may_call(USER),
    tags=["points"],
)
async def data(
    request: AnyRequest,
    catalogue: Use[Catalogue],
    start: _Start = None,
    end: _End = None,
    skip: _Skip = 0,
    limit: Limit = DEFAULT_LIMIT,
) -> list[Point]:
    """Return the points between two times, oldest first; users see the valid ones."""
    bounds = {Operator.GTE: start, Operator.LTE: end}
    page_request = PageRequest(
        filter=Filter(
            tuple(
                Condition(_TIME, operator, time.astimezone(UTC))
                for operator, time in bounds.items()
                if time is not None
            )
        ),
        sort=_OLDEST_FIRST,
        limit=limit,
        offset=skip,
    )
    page = await catalogue.query(DATA_POINTS.name)(page_request, role_of(request.scope))
    return list(map(_point, page.rows))


async def _populate(
    request: AnyRequest, fetch_one: FetchOne, waiting_room: WaitingRoom, clock: Clock
) -> Response[Point]:
    fetching = fetch_one(DATA_POINTS.name, role_of(request.scope))
    result = await waiting_room.wait(request, fetching)
    set_job_id(request.scope, result.fetched.job.id)
    report = to_response(result.fetched)
    return answer(_reply(result, report, request_id_of(request.scope), clock.now()))


_POPULATE: dict[str, Any] = {
    "status_code": HTTPStatus.OK,
    "summary": "Fetch one data point",
    "responses": problems(401, 403, 409, 429, 502, 503, 504, 507),
    "guards": [Limited(FETCH)],
    "opt": may_call(ADMIN),
    "tags": ["points"],
}


@get("/api/populate", operation_id="populate", **_POPULATE)
async def get_populate(
    request: AnyRequest,
    fetch_one: Use[FetchOne],
    waiting_room: Use[WaitingRoom],
    clock: Use[Clock],
) -> Response[Point]:
    """Fetch one data point now, whatever the minimum interval, and return it."""
    return await _populate(request, fetch_one, waiting_room, clock)


@post("/api/populate", operation_id="populate_by_post", **_POPULATE)
async def post_populate(
    request: AnyRequest,
    fetch_one: Use[FetchOne],
    waiting_room: Use[WaitingRoom],
    clock: Use[Clock],
) -> Response[Point]:
    """Fetch one data point now, whatever the minimum interval, and return it."""
    return await _populate(request, fetch_one, waiting_room, clock)


POINT_ROUTES = [data, get_populate, post_populate]


def _point(row: Any) -> Point:
    return Point(row.time, row.value, row.valid, list(row.tags))


def _reply(result: FetchedOne, report: FetchAnswer, request_id: str, now: datetime) -> Reply:
    job = result.fetched.job
    failures = job.report.failures if job.report else []
    if result.record is not None and result.fetched.outcome is not Outcome.FAILED:
        return json_reply(_point(result.record))
    blocked = [failure for failure in failures if failure.code == SourceBlocked.code]
    if blocked:
        # 429 and not 5xx: the caller is faster than the upstream's limits allow.
        wait_s = max(((f.retry_at - now).total_seconds() for f in blocked if f.retry_at), default=1)
        raise TooManyRequests(blocked[0].detail, wait_s)
    if failures:
        return reply_to_failures(failures, report, request_id, now)
    problem = problem_of(result.fetched, report, request_id, now)
    return problem or reply(
        "unexpected_content",
        "the upstream's answer contains no readable point; it is in quarantine",
        request_id,
        report=report,
    )
