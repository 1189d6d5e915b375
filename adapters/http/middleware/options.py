"""Options: which methods a path takes, for whoever asks with OPTIONS.

The framework tells that by itself, but of several handlers at one path only what the first takes.
"""

from collections.abc import Sequence

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler

from adapters.http.protocol.access import OPEN, may_call


def option_routes(handlers: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """A route for each path of these handlers; they have to come before them."""
    taken: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            taken.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    return [_telling(path, methods) for path, methods in taken.items()]


def _telling(path: str, methods: set[str]) -> HTTPRouteHandler:
    # The front makes a GET of a HEAD.
    allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))

    @route(
        path,
        http_method="OPTIONS",
        status_code=204,
        include_in_schema=False,
        opt=may_call(OPEN),
    )
    async def options() -> Response[None]:
        """Tell which methods there are."""
        return Response(None, headers={"Allow": allowed})

    return options
