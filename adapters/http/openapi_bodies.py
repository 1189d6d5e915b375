"""The bodies that handlers read from the request themselves, and who may call which route."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Litestar

from adapters.http.access import OPEN, access_of, routes_of
from adapters.http.accounts import (
    Credentials,
    LogoutRequest,
    PasswordChange,
    RefreshRequest,
    TokenRequest,
)
from adapters.http.openapi_parameters import Json
from adapters.http.problems import MEDIA_TYPE
from domain.dataset import Role

_REFERENCE = "#/components/schemas/{name}"
_JSON = ("application/json",)
_FORM = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")

#: The type of each body, and as what it may be sent.
BODIES: Mapping[tuple[str, str], tuple[type[Any], Sequence[str]]] = {
    ("/auth/signup", "post"): (Credentials, _JSON),
    ("/auth/login", "post"): (Credentials, _FORM),
    ("/auth/refresh", "post"): (RefreshRequest, _FORM),
    ("/auth/logout", "post"): (LogoutRequest, _JSON),
    ("/auth/password", "post"): (PasswordChange, _JSON),
    ("/auth/tokens", "post"): (TokenRequest, _JSON),
}
#: Those that may be left out.
_OPTIONAL = frozenset({("/auth/logout", "post")})

_BEARER: list[Json] = [{"bearer": []}]
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "the access_token of POST /auth/login, or a token of POST /auth/tokens",
    }
}


def describe_bodies(paths: Json, components: Json) -> None:
    """Add the bodies to their operations, and their types to the schemas."""
    types = [wanted for wanted, _ in BODIES.values()]
    references, schemas = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    components.update(schemas)
    for (place, (_, kinds)), reference in zip(BODIES.items(), references, strict=True):
        path, method = place
        paths[path][method]["requestBody"] = {
            "required": place not in _OPTIONAL,
            "content": {kind: {"schema": reference} for kind in kinds},
        }


def describe_access(paths: Json, app: Litestar) -> None:
    """Say of every route of the framework's who may call it."""
    for path, handler in routes_of(app):
        access = access_of(handler) or OPEN
        for method in handler.http_methods:
            operation = paths.get(_template(path), {}).get(method.lower())
            if operation is not None:
                guard(operation, access.role)


def guard(operation: Json, least: Role) -> None:
    """Say of an operation who may call it; a token that does not count is refused on any."""
    operation["security"] = _BEARER if least is not Role.ANYONE else [{}, *_BEARER]
    problem = {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(name="Problem")}}}
    operation["responses"].setdefault("401", {"description": "Unauthorized", "content": problem})


def _template(path: str) -> str:
    """The path of a route as the document has it, without the types of its parts."""
    return "/".join(
        f"{part.partition(':')[0]}}}" if ":" in part else part for part in path.split("/")
    )
