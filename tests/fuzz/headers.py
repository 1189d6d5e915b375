"""A check of our own: no answer has a header that its description does not name."""

from typing import Any

import schemathesis
from schemathesis import Case, Response

#: What every HTTP answer may have, whatever it is about.
_ANYWHERE = frozenset(
    {
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-security-policy",
        "content-type",
        "referrer-policy",
        "vary",
        "x-content-type-options",
    }
)


@schemathesis.check
def only_described_headers(ctx: Any, response: Response, case: Case) -> None:
    """Raise AssertionError if an answer has a header that is not in the document."""
    if response.request.method != case.operation.method.upper():
        return  # some cases ask with other methods than there are
    described = case.operation.responses.find_by_status_code(response.status_code)
    if described is None:
        return  # another check tells of that
    names = {name.lower() for name in described.definition.get("headers", {})}
    unknown = {name.lower() for name in response.headers} - names - _ANYWHERE
    assert not unknown, f"a {response.status_code} has headers not described: {sorted(unknown)}"
