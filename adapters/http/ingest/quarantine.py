"""Quarantine: `GET /quarantine`, and replays of rejected records."""

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, QueryParameter

from adapters.http.ingest.schemas import FetchAnswer, problem_of, to_response
from adapters.http.protocol.access import ADMIN, may_call, role_of
from adapters.http.protocol.asgi import request_id_of, set_job_id
from adapters.http.protocol.bodies import refuse_content
from adapters.http.protocol.cursors import CursorSigner
from adapters.http.protocol.negotiation import json_of
from adapters.http.protocol.rate_limits import FETCH, Limited
from adapters.http.protocol.routing import (
    Answer,
    AnyRequest,
    CursorPaging,
    CursorText,
    Limit,
    Use,
    answer,
    json_reply,
    paging_of,
    problems,
)
from adapters.http.protocol.waiting import WaitingRoom
from application.ingest.fetch import Fetched
from application.ingest.quarantine import ListQuarantine, ReplayQuarantine
from application.ports.ingest import Quarantined
from application.ports.system import Clock
from domain.errors import UnknownRecord
from domain.paging import DEFAULT_LIMIT, Cursor
from domain.times import from_micros, to_micros

#: The list's name in cursors; no dataset has this name.
_QUARANTINE = "/quarantine"
_IDENTIFIER = re.compile(r"[0-9]{1,18}")
#: The problems of a replay.
_REPLAY = (401, 403, 404, 408, 409, 413, 415, 429, 502, 503, 507)

_Dataset = Annotated[str | None, QueryParameter(description="records of this dataset only")]
_Source = Annotated[str | None, QueryParameter(description="records of this source only")]
_Replayed = Annotated[
    str | None, QueryParameter(description="this dataset only; all datasets if omitted")
]


class QuarantinePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of rejected records, newest first."""

    data: list[Quarantined]
    count: int
    page: CursorPaging
    request_id: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The replays of several datasets, each a job of its own."""

    data: list[FetchAnswer]
    count: int
    request_id: str


@get(
    "/quarantine",
    operation_id="list_rejected",
    summary="List rejected records",
    responses={200: Answer(QuarantinePage, headers=("Link",)), **problems(401, 403, 404, 503)},
    opt=may_call(ADMIN),
    tags=["quarantine"],
)
async def waiting(
    request: AnyRequest,
    list_quarantine: Use[ListQuarantine],
    signer: Use[CursorSigner],
    dataset: _Dataset = None,
    source: _Source = None,
    limit: Limit = DEFAULT_LIMIT,
    after: CursorText = None,
) -> Response[QuarantinePage]:
    """Return the records in quarantine with the reasons, latest first."""
    filter = json_of([dataset, source]).decode()
    before = None if after is None else _position_in(signer, after, filter)
    role = role_of(request.scope)
    found = await list_quarantine(role, limit + 1, dataset, source, before)
    shown = found[:limit]
    last = Cursor(_position(shown[-1]), filter) if len(found) > limit else None
    paging, headers = paging_of(request, signer, _QUARANTINE, limit, last)
    page = QuarantinePage(
        data=shown,
        count=len(shown),
        page=paging,
        request_id=request_id_of(request.scope),
    )
    return Response(page, headers=headers)


@post(
    "/quarantine/{rejection_id:str}/replay",
    status_code=200,
    operation_id="replay_rejected",
    summary="Replay a rejected record",
    responses=problems(*_REPLAY),
    guards=[Limited(FETCH)],
    opt=may_call(ADMIN),
    tags=["quarantine"],
)
async def replay_one(
    request: AnyRequest,
    rejection_id: FromPath[str],
    replay_quarantine: Use[ReplayQuarantine],
    waiting_room: Use[WaitingRoom],
    clock: Use[Clock],
) -> Response[FetchAnswer]:
    """Read the record's payload again, and store the records that are readable now."""
    await refuse_content(request)
    replaying = replay_quarantine.one(role_of(request.scope), _identifier(rejection_id))
    return _one(request, await waiting_room.wait(request, replaying), clock)


@post(
    "/quarantine/replay",
    status_code=200,
    operation_id="replay",
    summary="Replay rejected records",
    responses=problems(*_REPLAY),
    guards=[Limited(FETCH)],
    opt=may_call(ADMIN),
    tags=["quarantine"],
)
async def replay_many(
    request: AnyRequest,
    replay_quarantine: Use[ReplayQuarantine],
    waiting_room: Use[WaitingRoom],
    clock: Use[Clock],
    dataset: _Replayed = None,
) -> Response[FetchAnswer | Replayed]:
    """Read the payloads of rejected records again, of one dataset or of all."""
    await refuse_content(request)
    role = role_of(request.scope)
    if dataset is not None:
        replaying = replay_quarantine.dataset(role, dataset)
        return _one(request, await waiting_room.wait(request, replaying), clock)
    fetched = await waiting_room.wait(request, replay_quarantine.everything(role))
    reports = list(map(to_response, fetched))
    replayed = Replayed(data=reports, count=len(reports), request_id=request_id_of(request.scope))
    return answer(json_reply(replayed))


QUARANTINE_ROUTES = [waiting, replay_one, replay_many]


def _one(request: AnyRequest, fetched: Fetched, clock: Clock) -> Response[Any]:
    set_job_id(request.scope, fetched.job.id)
    report, request_id = to_response(fetched), request_id_of(request.scope)
    problem = problem_of(fetched, report, request_id, clock.now(), "replay")
    return answer(problem or json_reply(report))


# ---------------------------------------------------------------- cursors and identifiers


def _position(rejected: Quarantined) -> tuple[int, int]:
    return to_micros(rejected.rejected_at), rejected.id


def _position_in(signer: CursorSigner, text: str, filter: str) -> tuple[datetime, int]:
    """Return the position in a cursor: time and identifier of the record before the page."""
    micros, rejection_id = signer.position(_QUARANTINE, text, filter)
    return from_micros(micros), rejection_id


def _identifier(text: str) -> int:
    """Return the identifier of a rejected record, within what a store can hold."""
    if not _IDENTIFIER.fullmatch(text):
        raise UnknownRecord("this record is not in quarantine, or is no longer in it")
    return int(text)
