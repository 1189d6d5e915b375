"""Quarantine: `GET /quarantine`, and the replays that read rejected records again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from adapters.http.ingest.schemas import FetchAnswer, problem_of, told_of
from adapters.http.protocol.access import ADMIN, may_call, role_of
from adapters.http.protocol.asgi import request_id_of, set_job_id
from adapters.http.protocol.bodies import nothing_in
from adapters.http.protocol.cursors import CursorSigner, next_page_of
from adapters.http.protocol.negotiation import json_of
from adapters.http.protocol.query_params import limit_of, parameters_of
from adapters.http.protocol.routing import CursorPaging, answer, documented, guarded, json_reply
from application.datasets.catalogue import Catalogue
from application.ingest.fetch import Fetched
from application.ingest.quarantine import ListQuarantine, ReplayQuarantine
from application.ports.ingest import Quarantined
from application.ports.system import Clock
from domain.errors import UnknownRecord
from domain.paging import Cursor

CHOICES: Mapping[str, tuple[str, ...] | None] = {
    "dataset": None,
    "source": None,
    "limit": None,
    "cursor": None,
}

#: What the cursors of the list are signed for; no dataset is called so.
_QUARANTINE = "/quarantine"
_IDENTIFIER = re.compile(r"[0-9]{1,18}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNKEPT = {"Cache-Control": "no-store"}
#: What a replay may answer besides 200, 400, 422 and 500.
_PROBLEMS = (401, 403, 404, 408, 409, 413, 415, 429, 502, 503, 507)


class QuarantinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some rejected records, newest first."""

    data: list[Quarantined]
    count: int
    page: CursorPaging
    request_id: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The replays of several datasets, each as its own job."""

    data: list[FetchAnswer]
    count: int
    request_id: str


def quarantine_routes(
    catalogue: Catalogue,
    list_quarantine: ListQuarantine,
    replay: ReplayQuarantine,
    clock: Clock,
    signer: CursorSigner,
    body_s: float,
) -> list[HTTPRouteHandler]:
    """The routes that list what was rejected, and read it again, for admins."""

    def report_of(fetched: Fetched) -> FetchAnswer:
        return told_of(fetched, catalogue.fetch(fetched.job.dataset).cadence)

    def one(request: Request[Any, Any, Any], fetched: Fetched) -> Response[bytes]:
        set_job_id(request.scope, fetched.job.id)
        report, request_id = report_of(fetched), request_id_of(request.scope)
        problem = problem_of(fetched, report, request_id, clock.now(), "replay")
        return answer(problem or json_reply(report, _UNKEPT))

    @get(
        "/quarantine",
        summary="Which records were rejected, and why",
        responses=documented(QuarantinePage, 401, 403, 404, 503),
        before_request=guarded(CHOICES),
        opt=may_call(ADMIN),
        tags=["quarantine"],
    )
    async def waiting(request: Request[Any, Any, Any]) -> Response[QuarantinePage]:
        """The records that wait in quarantine, those rejected last first."""
        pairs = parameters_of(request.scope["query_string"])
        given = dict(pairs)
        limit = limit_of(given)
        filter = json_of([given.get("dataset"), given.get("source")]).decode()
        before = _before(signer, given["cursor"], filter) if "cursor" in given else None
        wanted = given.get("dataset"), given.get("source"), before
        found = await list_quarantine(role_of(request.scope), limit + 1, *wanted)
        shown, more = found[:limit], len(found) > limit
        headers, cursor = dict(_UNKEPT), None
        if more:
            cursor = signer.write(_QUARANTINE, Cursor(_place(shown[-1]), filter))
            headers["Link"] = next_page_of(request.scope["path"], pairs, cursor)
        return Response(
            QuarantinePage(
                data=shown,
                count=len(shown),
                page=CursorPaging(limit=limit, next_cursor=cursor, has_more=more),
                request_id=request_id_of(request.scope),
            ),
            headers=headers,
        )

    @post(
        "/quarantine/{rejection_id:str}/replay",
        status_code=200,
        summary="Read the payload of a rejected record again",
        responses=documented(FetchAnswer, *_PROBLEMS),
        before_request=guarded(),
        opt=may_call(ADMIN),
        tags=["quarantine"],
    )
    async def replay_one(
        request: Request[Any, Any, Any], rejection_id: FromPath[str]
    ) -> Response[bytes]:
        """Store what can be read now of the payload that held the record; nobody is asked."""
        await nothing_in(request, body_s)
        return one(request, await replay.one(role_of(request.scope), _identifier(rejection_id)))

    @post(
        "/quarantine/replay",
        status_code=200,
        summary="Read all that waits in quarantine again, of one dataset or of all",
        responses=documented(FetchAnswer | Replayed, *_PROBLEMS),
        before_request=guarded({"dataset": None}),
        opt=may_call(ADMIN),
        tags=["quarantine"],
    )
    async def replay_many(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Store what can be read now of all rejected records; nobody is asked."""
        await nothing_in(request, body_s)
        given = dict(parameters_of(request.scope["query_string"]))
        if "dataset" in given:
            return one(request, await replay.dataset(role_of(request.scope), given["dataset"]))
        reports = list(map(report_of, await replay.everything(role_of(request.scope))))
        request_id = request_id_of(request.scope)
        replayed = Replayed(data=reports, count=len(reports), request_id=request_id)
        return answer(json_reply(replayed, _UNKEPT))

    return [waiting, replay_one, replay_many]


# ---------------------------------------------------------------- places in the list


def _place(rejected: Quarantined) -> tuple[int, int]:
    return (rejected.rejected_at - _EPOCH) // _MICROSECOND, rejected.id


def _before(signer: CursorSigner, text: str, filter: str) -> tuple[datetime, int]:
    """The rejected record that a page begins after."""
    micros, rejection_id = signer.place(_QUARANTINE, text, filter)
    return _EPOCH + micros * _MICROSECOND, rejection_id


def _identifier(text: str) -> int:
    """The identifier of a rejected record; a store need not take every number."""
    if not _IDENTIFIER.fullmatch(text):
        raise UnknownRecord("no such record waits in quarantine; it may have left it")
    return int(text)
