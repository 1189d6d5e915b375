"""The answers that any operation may give, and the headers of all answers, for the document."""

from collections.abc import Mapping
from http import HTTPStatus

from adapters.http.openapi.parameters import Json
from adapters.http.protocol.problems import MEDIA_TYPE

#: Answered before any routing, or anything that is broken; 503 also stands for a store that cannot
#: tell whether a token counts.
_ANYWHERE = (400, 401, 405, 408, 414, 426, 431, 500, 503)
#: Any operation that writes refuses pages of other sites.
_WRITING = (*_ANYWHERE, 403)


def _header(description: str, required: bool = True, **schema: str | int) -> Json:
    return {"description": description, "required": required, "schema": {"type": "string"} | schema}


#: The headers of answers, by their names.
HEADERS: Json = {
    "X-Request-ID": _header(
        "The X-Request-ID of the request if it was sane, or one made for it",
        pattern="^[A-Za-z0-9._:-]{1,64}$",
    ),
    "Allow": _header("The methods that the path takes"),
    "WWW-Authenticate": _header("How to authenticate (RFC 6750)", pattern="^Bearer"),
    "Retry-After": _header("Seconds to wait before asking again", type="integer", minimum=1),
    "Location": _header("Where to find what was created", pattern="^/"),
    "ETag": _header("What to send as `If-None-Match`, or before a change as `If-Match`"),
    "Link": _header('The next page, if there is one: `<...>; rel="next"`', required=False),
    "RateLimit": _header("What is left of the limit, and for how long", required=False),
    "RateLimit-Policy": _header("The limit of this client", required=False),
}

#: Those of problems, wherever they come from.
_OF_PROBLEMS: Mapping[str, tuple[str, ...]] = {
    "401": ("WWW-Authenticate",),
    "405": ("Allow",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
_LIMITED = ("RateLimit", "RateLimit-Policy")


def problem(status: int) -> Json:
    """Return a response that is a problem of this status."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def describe_responses(
    operation: Json, headers: Mapping[str, tuple[str, ...]], writes: bool = False
) -> None:
    """Add what any operation may answer, and to every answer its headers; `headers` by status."""
    responses = operation["responses"]
    for status in _WRITING if writes else _ANYWHERE:
        responses.setdefault(str(status), problem(status))
    for status, response in responses.items():
        names = ("X-Request-ID", *headers.get(status, ()))
        if MEDIA_TYPE in response.get("content", {}):
            names += _OF_PROBLEMS.get(status, ())
        if "429" in responses and (status < "300" or status == "429"):
            names += _LIMITED
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    operation["responses"] = dict(sorted(responses.items()))
