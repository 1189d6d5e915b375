"""What any route may answer besides what it documents itself, and the headers of all answers."""

from collections.abc import Mapping
from http import HTTPStatus

from adapters.http.openapi.parameters import Json
from adapters.http.protocol.problems import MEDIA_TYPE

#: The names of headers by the status of the answer.
_ByStatus = Mapping[str, tuple[str, ...]]

#: What the front answers before any routing, or anything that is broken; 503 also stands for a
#: store that cannot tell whether a token counts.
_ANYWHERE = (400, 401, 405, 414, 426, 431, 500, 503)


def _header(description: str, required: bool = True, **schema: str | int) -> Json:
    return {"description": description, "required": required, "schema": {"type": "string"} | schema}


#: The headers of answers, by their names.
HEADERS: Json = {
    "X-Request-ID": _header(
        "The X-Request-ID of the request if it was sane, or one made for it",
        pattern="^[A-Za-z0-9._:-]{1,64}$",
    ),
    "Allow": _header("The methods that the path takes"),
    "WWW-Authenticate": _header("How to say who is asking (RFC 6750)", pattern="^Bearer"),
    "Retry-After": _header("Seconds to wait before asking again", type="integer", minimum=1),
    "Location": _header("Where to find what was made", pattern="^/"),
    "ETag": _header("What to send as If-None-Match, or before a change as If-Match"),
    "Link": _header('The next page, if there is one: <...>; rel="next"', required=False),
    "RateLimit": _header("What is left of the limit, and for how long", required=False),
    "RateLimit-Policy": _header("The limit of this client", required=False),
}

#: Those of problems, wherever they come from.
_OF_PROBLEMS: _ByStatus = {
    "401": ("WWW-Authenticate",),
    "405": ("Allow",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
}
#: Those of good answers, by operation.
_OF_ANSWERS: Mapping[str, _ByStatus] = {
    "post /fetch": {"202": ("Location", "Retry-After")},
    "post /fetch/{dataset}": {"202": ("Location", "Retry-After")},
    "get /fetch/jobs": {"200": ("Link",)},
    "get /tasks": {"200": ("Link",)},
    "post /tasks": {"201": ("Location", "ETag")},
    "get /tasks/{task_id}": {"200": ("ETag",), "304": ("ETag",)},
    "put /tasks/{task_id}": {"200": ("ETag",)},
    "patch /tasks/{task_id}": {"200": ("ETag",)},
}
_OF_READS: _ByStatus = {"200": ("ETag", "Link"), "304": ("ETag",)}
_LIMITED = ("RateLimit", "RateLimit-Policy")


def problem(status: int) -> Json:
    """A response that is a problem of this status."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def describe_answers(paths: Json) -> None:
    """Add to every operation what any of them may answer, and to every answer its headers."""
    for path, item in paths.items():
        for method, operation in item.items():
            responses = operation["responses"]
            for status in _ANYWHERE:
                responses.setdefault(str(status), problem(status))
            reads = _OF_READS if operation.get("tags") == ["data"] else {}
            own = _OF_ANSWERS.get(f"{method} {path}", reads)
            for status, response in responses.items():
                names = ("X-Request-ID", *own.get(status, ()))
                if MEDIA_TYPE in response.get("content", {}):
                    names += _OF_PROBLEMS.get(status, ())
                if "429" in responses and (status < "300" or status == "429"):
                    names += _LIMITED
                response["headers"] = {
                    name: {"$ref": f"#/components/headers/{name}"} for name in names
                }
            operation["responses"] = dict(sorted(responses.items()))
