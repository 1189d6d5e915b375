"""Rules that an OpenAPI document cannot express: schema-valid requests that are refused.

Such refusals would hide the code behind them, so requests are narrowed to parameters that go
together; the refusals that remain are listed here, each with its reason. Both are hooks, which
Schemathesis calls once this file is imported.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

from schemathesis import Case, HookContext, Response, hook
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

from adapters.http.datasets.query_string import CONTROLS
from domain.dataset import Role
from tests.fuzz.service import PASSWORD

_PAGING = frozenset({"limit", "offset", "count"})
_CSV = frozenset({"bom", "delimiter", "guard"})
#: The conditions kept besides those under test: more match no record, and twenty are allowed.
_KEPT = 3

#: Refusals of schema-valid requests: code and detail as a pattern, and the reason.
BY_DESIGN: Mapping[str, str] = {
    r"key_reused: .*": "it depends on the requests before whether a key is new",
    r"stale_version: .*": "it depends on the task which If-Match holds",
    r"invalid_cursor: .*": "a cursor is signed, so none can be made up",
    r"malformed_query: sorts by .* twice": "a field and its descent are two items",
    r"invalid_value: .* not among the most common": "the list is too long for a document",
    r"invalid_value: the body is another task than the path.*": "it depends on the path",
    r"malformed_query: applies to CSV only.*": "it depends on another parameter",
    r"invalid_value: expected .* printable characters": "no pattern for all languages says so",
    r"invalid_value: expected fewer than 100 tokens.*": "it depends on the tokens made before",
    r"invalid_value: expected either expires_at or ttl": "each of them is right alone",
    r"invalid_value: expected an end within 3650 days.*": "it depends on the present time",
    r"invalid_value: you cannot .* yourself; another admin can": "it depends on the caller",
    r"invalid_value: you cannot change your own role; another admin can": "so does this",
    r"url_too_long: .*": "values that are not too long alone may be so together",
}


@hook("before_call")
def narrow(context: HookContext, case: Case, kwargs: Mapping[str, Any]) -> None:
    """Keep only parameters of a request that go together, first of all those under test."""
    if case.operation.label == "POST /auth/login":
        _use_right_password(case)
    query, declared = case.query, {each.name for each in case.operation.query}
    if not isinstance(query, dict) or ("sort" not in declared and "cursor" not in declared):
        return
    about = _about(case) | (query.keys() - declared)
    for name in _in_the_way(query, about):
        query.pop(name, None)


@hook("filter_failure")
def is_a_finding(context: HookContext, failure: Any, case: Case, response: Response) -> bool:
    """Return whether a failed check is a fault of the application or its document."""
    if isinstance(failure, UseAfterFree):
        # DELETE cancels a running job there, whose record remains.
        return case.operation.path != "/fetch/status/{job_id}"
    if not isinstance(failure, RejectedPositiveData):
        return True
    body = response.json()
    error = f"{body.get('code')}: {body.get('detail')}"
    return not any(re.fullmatch(refusal, error) for refusal in BY_DESIGN)


def _use_right_password(case: Case) -> None:
    """Give some of the valid logins the right password, which would never be guessed."""
    body = case.body
    good = case.meta is not None and case.meta.generation.mode.is_positive
    if good and isinstance(body, dict) and crc32(str(body).encode()) % 2:
        case.body = {"username": Role.USER.value, "password": PASSWORD}


def _about(case: Case) -> set[str]:
    data: Any = case.meta.phase.data if case.meta else None
    named = [getattr(data, "parameter", None)]
    named += [mutation.parameter for mutation in getattr(data, "mutations", ())]
    return {name for name in named if name}


def _in_the_way(query: Mapping[str, Any], about: set[str]) -> Iterable[str]:
    if "cursor" not in about:
        yield "cursor"
    if about & _PAGING:
        yield "format"
    elif query.get("format", "json") != "json":
        yield from _PAGING
    if query.get("format") != "csv" or about & _PAGING:
        yield from _CSV - about
    others = [name for name in query if name not in about and name not in CONTROLS]
    # Always the same ones for the same case, and others for another.
    others.sort(key=lambda name: crc32(f"{name} {sorted(about)}".encode()))
    yield from others[_KEPT:]
