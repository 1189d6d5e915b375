"""What steers fetches, their lists and their replays, as the OpenAPI document describes it."""

from collections.abc import Mapping, Sequence

from adapters.http.ingest.idempotency import LONGEST_KEY
from adapters.http.ingest.prefer import LONGEST_WAIT_S
from adapters.http.ingest.routes import CHOICES
from adapters.http.openapi.parameters import LIMIT, Json, in_header, in_query
from domain.jobs import JobStatus
from domain.paging import MAX_OFFSET

_TIME: Json = {"type": "string", "format": "date-time"}

_FETCH: Sequence[Json] = (
    in_query(
        "mode",
        "sync answers when the fetch has ended, task at once with 202; it wins over Prefer",
        {"type": "string", "enum": list(CHOICES["mode"]), "default": "sync"},
    ),
    in_query(
        "force",
        "true ignores the minimum interval, never the upstream's own limits; for admins",
        {"type": "string", "enum": list(CHOICES["force"]), "default": "false"},
    ),
    in_header(
        "Prefer",
        "respond-async is mode=task; wait=N starts a task and waits up to N seconds for its end,"
        f" and never for more than {LONGEST_WAIT_S} (RFC 7240)",
    ),
    in_header(
        "Idempotency-Key",
        f"1 to {LONGEST_KEY} visible ASCII characters, as they are or in double quotes; the same"
        " request with the same key has one effect and gets the same answer for 24 hours",
        {
            "type": "string",
            "pattern": rf"^(?:[!#-~][!-~]{{0,{LONGEST_KEY - 1}}}"
            rf'|"(?:[!#-\[\]-~]|\\["\\]){{1,{LONGEST_KEY}}}")$',
        },
    ),
)

_JOBS: Sequence[Json] = (
    in_query("dataset", "fetches of this dataset only", {"type": "string"}),
    in_query(
        "status",
        "fetches in this status only",
        {"type": "string", "enum": [status.value for status in JobStatus]},
    ),
    in_query("limit", "fetches on a page", LIMIT),
    in_query("cursor", "next_cursor of the page before", {"type": "string"}),
)

_POINTS: Sequence[Json] = (
    in_query("start", "points from this moment on", _TIME),
    in_query("end", "points up to this moment, included", _TIME),
    in_query(
        "skip",
        "points to pass over",
        {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
    ),
    in_query("limit", "points to answer with", LIMIT),
)

_QUARANTINE: Sequence[Json] = (
    in_query("dataset", "records of this dataset only", {"type": "string"}),
    in_query("source", "records of this source only", {"type": "string"}),
    in_query("limit", "records on a page", LIMIT),
    in_query("cursor", "next_cursor of the page before", {"type": "string"}),
)

_REPLAY: Sequence[Json] = (
    in_query("dataset", "this dataset only; without it each that needs one", {"type": "string"}),
)

#: The parameters that handlers read from the request themselves, by path and method.
BY_HAND: Mapping[tuple[str, str], Sequence[Json]] = {
    ("/fetch", "post"): _FETCH,
    ("/fetch/{dataset}", "post"): _FETCH,
    ("/fetch/jobs", "get"): _JOBS,
    ("/api/data", "get"): _POINTS,
    ("/quarantine", "get"): _QUARANTINE,
    ("/quarantine/replay", "post"): _REPLAY,
}
