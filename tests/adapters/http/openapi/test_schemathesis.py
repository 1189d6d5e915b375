"""Schemathesis over the whole OpenAPI document: no server error, and no answer it does not know.

`python -m tests.fuzz` does the same for as long as you like.
"""

import json
from typing import Any

import pytest

from domain.dataset import Role
from tests.fuzz.hold import Findings, hold, hold_app


# The limit is for machines that do other things as well; it takes about 20 seconds.
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
        """Answer its document, or as it was told."""
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


def told(liar: Liar) -> list[str]:
    found: Findings = hold_app(liar)
    return [text.split("\n")[0] for text in found.wrong]


def test_an_application_as_its_document_says_has_nothing_wrong() -> None:
    assert told(Liar(200, {"id": 1})) == []


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
    assert finding in told(liar)
