"""Access: the role and scope that each route requires, and the caller of each request."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from domain.dataset import Role
from domain.errors import Forbidden, InvalidRoutes
from domain.users import ANONYMOUS, Caller, Scope

#: Keys in the scope: the caller, and the client's address.
CALLER = "catchment.caller"
_ADDRESS = "catchment.address"
_OPTION = "access"


class Access(NamedTuple):
    """The least role that may call a route, and the scope that an API token needs for it.

    `always` means even if a login is required.
    """

    role: Role
    scope: Scope | None
    always: bool = False
    takes_token: bool = True


#: Open even if a login is required: health, documentation and the login itself.
OPEN = Access(Role.ANYONE, None, always=True, takes_token=False)
#: Open in the same way; a token that is sent is the session that ends.
LOGGING_OUT = Access(Role.ANYONE, None, always=True)
ANYONE = Access(Role.ANYONE, Scope.READ)
FETCHER = Access(Role.ANYONE, Scope.FETCH)
WRITER = Access(Role.ANYONE, Scope.WRITE)
USER = Access(Role.USER, Scope.READ)
#: The routes of a user's own account.
ACCOUNT = Access(Role.USER, None)
ADMIN = Access(Role.ADMIN, Scope.ADMIN)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def may_call(access: Access) -> dict[str, Any]:
    """Return the option of a route that declares its access."""
    return {_OPTION: access}


class RoleGuard:
    """The check of a caller's role and scope; a guard of the whole application."""

    def __init__(self, require_login: bool) -> None:
        self._require_login = require_login

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], route: Any) -> None:
        """Raise an AccessDenied unless the caller may call the route."""
        access = access_of(route)
        if access is None:
            raise Forbidden("this route does not declare its access")
        self.admit(connection.scope, access)

    def admit(self, scope: Any, access: Access) -> None:
        """Raise an AccessDenied unless the caller of a request has this access."""
        caller = caller_of(scope)
        if access.scope is not None:
            caller.require(access.scope)
        caller.role.require(self.least(access))

    def least(self, access: Access) -> Role:
        """Return the least role that has this access."""
        closes = self._require_login and not access.always and access.role is Role.ANYONE
        return Role.USER if closes else access.role


def access_of(route: BaseRouteHandler) -> Access | None:
    """Return the access that a route declares; None if it declares none."""
    access: Access | None = route.opt.get(_OPTION)
    return access


def routes_of(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """Yield our own routes with their paths, without those that the framework adds."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            written = getattr(handler, "fn", None)
            ours = getattr(written, "__module__", "").startswith("adapters.http")
            if isinstance(handler, HTTPRouteHandler) and ours:
                yield route.path, handler


def require_declared(app: Litestar) -> None:
    """Raise InvalidRoutes if a route does not declare its access, or declares too little."""
    undeclared = [path for path, handler in routes_of(app) if access_of(handler) is None]
    if undeclared:
        raise InvalidRoutes(f"these routes do not declare their access: {', '.join(undeclared)}")
    writing = [
        path
        for path, handler in routes_of(app)
        if (access_of(handler) or OPEN).scope is Scope.READ and handler.http_methods - _READING
    ]
    if writing:
        raise InvalidRoutes(f"the scope read may not change anything: {', '.join(writing)}")


# ---------------------------------------------------------------- the caller


def caller_of(scope: Any) -> Caller:
    """Return the caller of a request."""
    caller: Caller = scope.get(CALLER, ANONYMOUS)
    return caller


def role_of(scope: Any) -> Role:
    """Return the role of the caller."""
    return caller_of(scope).role


def set_caller(scope: Any, caller: Caller) -> None:
    """Store the caller in the scope."""
    scope[CALLER] = caller


def address_of(scope: Any) -> str:
    """Return the client's address: of the peer, or forwarded by trusted proxies."""
    return str(scope.get(_ADDRESS) or (scope.get("client") or ("unknown",))[0])


def set_address(scope: Any, address: str) -> None:
    """Store the client's address in the scope."""
    scope[_ADDRESS] = address
