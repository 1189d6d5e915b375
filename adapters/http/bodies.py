"""Bodies: a fetch needs none; an empty object is let pass, and anything else explained."""

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from adapters.http.problems import Refusal
from domain.errors import InvalidValue


async def nothing_in(request: Request[Any, Any, Any], body_s: float) -> None:
    """Read the body: an empty JSON object is accepted, and anything else explained."""
    body = await _body(request, body_s)
    if not body:
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if (
        kind != "application/json"
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "a fetch needs no body; if there is one, it is plain application/json",
        )
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "malformed_request", "the body is not valid JSON"
        ) from error
    if not isinstance(value, dict):
        raise _unacceptable("", "a fetch needs no body; if there is one, it is an empty object")
    for name in value:
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        raise _unacceptable(
            pointer, "a fetch takes no fields: what is fetched is named in the path"
        )


def _unacceptable(pointer: str, detail: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, InvalidValue.code, detail, pointer=pointer)


async def _body(request: Request[Any, Any, Any], body_s: float) -> bytes:
    try:
        async with asyncio.timeout(body_s):
            return await request.body()
    except InternalServerException as error:
        # So the framework says that the client has left; there is nobody to read this.
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "malformed_request", "the body did not arrive whole"
        ) from error
    except TimeoutError as error:
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT,
            "body_too_slow",
            f"the body did not arrive within {body_s:g} seconds",
            {"Connection": "close"},
        ) from error
