"""Schemathesis over the whole OpenAPI document: no server error, no undocumented answer.

`python -m tests.fuzz` does the same for any time.
"""

import json
from typing import Any

import pytest

from domain.dataset import Role
from tests.fuzz.hold import Findings, hold, hold_app


# It takes about 20 seconds; the limit allows for busy machines.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", Role)
def test_whatever_is_asked_the_answer_is_one_the_document_knows(role: Role) -> None:
    found = hold(role, examples=5)

    assert not found.wrong, "\n\n".join(found.wrong)
    assert found.asked == found.documented


class Liar:
    """An application of one route, which has one document and may answer something else."""

    def __init__(
        self, status: int, body: Any, media_type: str = "application/json", *names: str
    ) -> None:
        self._answer = status, json.dumps(body), media_type
        self._more = [(name.encode(), b"1") for name in names]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Return its document, or the given answer."""
        if scope["type"] != "http":
            raise NotImplementedError
        status, text, media_type = self._answer
        if scope["path"] == "/openapi.json":
            status, text, media_type = 200, json.dumps(_DOCUMENT), "application/json"
        elif scope["method"] != "GET":
            status = 405
        headers = [(b"content-type", media_type.encode()), *self._more]
        if status == 405:
            headers.append((b"allow", b"GET"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})


_SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
_DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "A liar", "version": "1"},
    "paths": {
        "/": {
            "get": {
                "operationId": "read",
                "responses": {
                    "200": {
                        "description": "Done",
                        "content": {"application/json": {"schema": _SCHEMA}},
                    }
                },
            }
        }
    },
}


def findings_of(liar: Liar) -> list[str]:
    found: Findings = hold_app(liar)
    return [text.split("\n")[0] for text in found.wrong]


def test_an_application_as_its_document_says_has_nothing_wrong() -> None:
    assert findings_of(Liar(200, {"id": 1})) == []


@pytest.mark.parametrize(
    ("liar", "finding"),
    [
        (Liar(500, {"id": 1}), "GET /: Server error"),
        (Liar(201, {"id": 1}), "GET /: Undocumented status code"),
        (Liar(200, {"id": "1"}), "GET /: Response violates schema"),
        (Liar(200, {"id": 1}, "text/plain"), "GET /: Undocumented Content-Type"),
        (
            Liar(200, {"id": 1}, "application/json", "x-news"),
            "GET /: Custom check failed: `only_described_headers`",
        ),
    ],
)
def test_a_lie_is_found(liar: Liar, finding: str) -> None:
    assert finding in findings_of(liar)
