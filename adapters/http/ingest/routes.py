"""Fetches: `POST /fetch`, which runs a fetch and answers with its report, or starts a task."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from adapters.http.ingest.idempotency import OnceOnly
from adapters.http.ingest.prefer import ExecutionPreference, preference_of
from adapters.http.ingest.schemas import FetchAnswer, problem_of, retry_after, told_of
from adapters.http.protocol.access import ANYONE, may_call, role_of
from adapters.http.protocol.asgi import header_of, request_id_of, set_job_id
from adapters.http.protocol.bodies import nothing_in
from adapters.http.protocol.problems import Reply
from adapters.http.protocol.query_params import parameters_of
from adapters.http.protocol.rate_limits import FETCH, Limiter
from adapters.http.protocol.routing import answer, documented, guarded, json_reply
from application.datasets.catalogue import Catalogue
from application.ingest.fetch import Fetch, Fetched
from application.ports.system import Clock
from domain.dataset import Role
from domain.errors import StoreError, TooManyWaiting

CHOICES = {"mode": ("sync", "task"), "force": ("true", "false")}

#: What a fetch may answer besides 200, 202, 400, 422 and 500.
_PROBLEMS = (401, 403, 404, 408, 409, 413, 415, 429, 502, 503, 504, 507)
_ACCEPTED = ResponseSpec(
    FetchAnswer,
    generate_examples=False,
    description="The fetch is a task; Location says where to ask how it stands",
)


def fetch_routes(
    catalogue: Catalogue,
    once_only: OnceOnly,
    limiter: Limiter,
    clock: Clock,
    default_dataset: str,
    body_s: float,
) -> list[HTTPRouteHandler]:
    """The routes that fetch; a caller may take `body_s` seconds to send a body."""

    @post(
        ["/fetch", "/fetch/{dataset:str}"],
        status_code=200,
        summary=f"Fetch a dataset now: {default_dataset}, unless the path names another",
        responses={**documented(FetchAnswer, *_PROBLEMS), 202: _ACCEPTED},
        before_request=guarded(CHOICES),
        opt=may_call(ANYONE),
        tags=["fetch"],
    )
    async def fetch(
        request: Request[Any, Any, Any], dataset: FromPath[str] = default_dataset
    ) -> Response[bytes]:
        """Fetch, and answer with the report; with `mode=task`, answer at once and fetch later."""
        use_case, viewer = catalogue.fetch(dataset), role_of(request.scope)
        # Before anything else is looked at: to the others the route is closed, whatever they send.
        viewer.require(use_case.dataset.fetch_by)
        await limiter.spend(request.scope, FETCH)
        await nothing_in(request, body_s)
        given = dict(parameters_of(request.scope["query_string"]))
        prefer = header_of(request.scope, b"prefer")
        wish = preference_of(given.get("mode"), prefer, use_case.deadline.total_seconds())

        async def make(job_id: str | None) -> Reply:
            force = given.get("force") == "true"
            fetched = await _fetched(use_case, viewer, wish, force, job_id)
            set_job_id(request.scope, fetched.job.id)
            report = told_of(fetched, use_case.cadence)
            return _reply(fetched, report, wish, request_id_of(request.scope), clock.now())

        return answer(await once_only(request.scope, make))

    return [fetch]


async def _fetched(
    fetch: Fetch[Any], viewer: Role, wish: ExecutionPreference, force: bool, job_id: str | None
) -> Fetched:
    if not wish.is_task:
        return await fetch(viewer, force, job_id)
    started = await fetch.start(viewer, force, job_id=job_id)
    if started.job.status.is_final or not wish.wait_s:
        return started
    try:
        return await fetch.wait(started.job.id, wish.wait_s)
    except (TooManyWaiting, StoreError):
        return started  # to wait was only preferred, and the task goes on


# ---------------------------------------------------------------- what is answered


def _reply(
    fetched: Fetched, report: FetchAnswer, wish: ExecutionPreference, request_id: str, now: datetime
) -> Reply:
    """The answer to a fetch that has ended, or that goes on without its caller."""
    job = fetched.job
    applied = {"Preference-Applied": wish.applied} if wish.applied else {}
    if wish.is_task and not job.status.is_final:
        headers = {"Location": report.status_url, **retry_after(job, now)}
        sent = json_reply(report, headers, HTTPStatus.ACCEPTED)
    else:
        sent = problem_of(fetched, report, request_id, now) or json_reply(report)
    sent.headers.update(applied)
    return sent
