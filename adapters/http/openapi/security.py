"""Who may call which route, as the OpenAPI document says it."""

from litestar import Litestar

from adapters.http.openapi.parameters import Json
from adapters.http.protocol.access import OPEN, Access, RoleGuard, access_of, routes_of
from domain.dataset import Role

_BEARER: list[Json] = [{"bearer": []}]
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "the access_token of POST /auth/login, or a token of POST /auth/tokens",
    }
}


def describe_access(paths: Json, app: Litestar, gate: RoleGuard) -> None:
    """Say of every route of the framework's who may call it."""
    for path, handler in routes_of(app):
        access = access_of(handler) or OPEN
        for method in handler.http_methods:
            operation = paths.get(_template(path), {}).get(method.lower())
            if operation is not None:
                guard(operation, access, gate)


def guard(operation: Json, access: Access, gate: RoleGuard) -> None:
    """Say of an operation who may call it."""
    closed = gate.least(access) is not Role.ANYONE
    operation["security"] = _BEARER if closed else [{}, *_BEARER]


def _template(path: str) -> str:
    """The path of a route as the document has it, without the types of its parts."""
    return "/".join(
        f"{part.partition(':')[0]}}}" if ":" in part else part for part in path.split("/")
    )
