"""Health: `GET /health` and the probes that an orchestrator calls."""

import asyncio
from http import HTTPStatus

import msgspec
from litestar import Response, get

from adapters.http.protocol.access import OPEN, may_call, role_of
from adapters.http.protocol.asgi import request_id_of
from adapters.http.protocol.problems import Refusal
from adapters.http.protocol.routing import Answer, AnyRequest, Use, problems
from application.operations.health import CheckHealth, HealthStatus, SourceHealth
from domain.dataset import Role


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """The health of the service; `timestamp` is in Unix seconds."""

    status: HealthStatus
    database: str
    queue: str
    timestamp: float
    request_id: str
    sources: tuple[SourceHealth, ...]


class ProbeResult(msgspec.Struct, frozen=True):
    """The result of a liveness or readiness probe."""

    status: str


@get(
    "/health",
    operation_id="check_health",
    summary="Health report",
    responses={**problems(), 503: Answer(HealthReport, description="The service is down")},
    opt=may_call(OPEN),
    tags=["overview"],
)
async def check(request: AnyRequest, check_health: Use[CheckHealth]) -> Response[HealthReport]:
    """Return the health of the database, the queue and every source.

    Why something does not work is a code, such as `store_unavailable`, and for an admin a sentence.
    """
    report = await check_health()
    told = role_of(request.scope) is Role.ADMIN
    down = report.status is HealthStatus.DOWN
    return Response(
        HealthReport(
            status=report.status,
            database=report.database if told else report.database_code,
            queue=report.queue if told else report.queue_code,
            timestamp=round(report.checked_at.timestamp(), 3),
            request_id=request_id_of(request.scope),
            sources=report.sources,
        ),
        status_code=HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK,
    )


@get(
    "/health/live",
    operation_id="check_liveness",
    summary="Liveness probe",
    responses=problems(),
    opt=may_call(OPEN),
    tags=["overview"],
)
async def live() -> ProbeResult:
    """Return ok while the process runs; nothing else is checked."""
    return ProbeResult("ok")


@get(
    "/health/ready",
    operation_id="check_readiness",
    summary="Readiness probe",
    responses=problems(503),
    opt=may_call(OPEN),
    tags=["overview"],
)
async def ready(check_health: Use[CheckHealth], draining: Use[asyncio.Event]) -> ProbeResult:
    """Return ok if the database is reachable and migrated, and the process is not stopping."""
    if draining.is_set():
        raise Refusal("draining", "this process is about to stop")
    await check_health.ready()
    return ProbeResult("ok")


HEALTH_ROUTES = [check, live, ready]
