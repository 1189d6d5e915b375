"""Rate limits: how many requests a client may send to expensive routes.

The rest of a limit is in the headers of draft-ietf-httpapi-ratelimit-headers.
"""

import math
from collections.abc import Mapping
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler

from adapters.http.protocol.access import address_of, caller_of
from adapters.http.protocol.asgi import add_headers
from adapters.http.protocol.client_address import client_network
from application.ports.accounts import ClientLimits
from application.ports.operations import Events
from domain.errors import TooManyRequests
from domain.events import LimitReached
from domain.politeness import Rate
from domain.users import key_of

LOGIN = "login"
SIGNUP = "signup"
SESSIONS = "sessions"
FETCH = "fetch"
TASK_WRITES = "tasks"


#: Always counted by network: a client that guesses passwords can have many names.
_BY_NETWORK = frozenset({LOGIN, SIGNUP})


class Limiter:
    """The rate limits by purpose and client: a user by name, other clients by network."""

    def __init__(self, limits: ClientLimits, rates: Mapping[str, Rate], events: Events) -> None:
        self._limits = limits
        self._rates = rates
        self._events = events

    async def spend(self, scope: Any, purpose: str) -> None:
        """Count a request and add the headers; raise TooManyRequests if the limit is reached."""
        rate = self._rates[purpose]
        client = network_of(scope) if purpose in _BY_NETWORK else client_of(scope)
        allowance = await self._limits.spend(f"{purpose} {client}", rate)
        wait_s = math.ceil(allowance.wait_s)
        add_headers(
            scope,
            {
                "RateLimit-Policy": f'"{purpose}";q={rate.count};w={rate.window_s:g}',
                "RateLimit": f'"{purpose}";r={allowance.left};t={wait_s}',
            },
        )
        if not allowance.allowed:
            self._events.publish(
                LimitReached(
                    account=caller_of(scope).name or "",
                    network=client_network(address_of(scope)),
                    purpose=purpose,
                )
            )
            raise TooManyRequests(
                f"expected at most {rate.count} requests in {rate.window_s:g} seconds; wait",
                allowance.wait_s,
            )


class Limited:
    """The guard of a route that is limited for a purpose."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], _: Any) -> None:
        """Count a request."""
        limiter: Limiter = connection.app.state.limiter
        await limiter.spend(connection.scope, self._purpose)


def is_limited(route: HTTPRouteHandler) -> bool:
    """Return whether a route counts requests: by a guard, or itself with the limiter it takes."""
    guarded = any(isinstance(guard, Limited) for guard in route.guards or ())
    return guarded or "limiter" in route.parsed_fn_signature.parameters


def client_of(scope: Any) -> str:
    """Return what a client is counted by: the name of a user, or the network of anyone else."""
    name = caller_of(scope).name
    return network_of(scope) if name is None else f"user {key_of(name)}"


def network_of(scope: Any) -> str:
    """Return the network of a client, as what it is counted by."""
    return f"at {client_network(address_of(scope))}"
