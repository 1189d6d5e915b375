"""Options: which methods a path takes, in answer to OPTIONS.

The framework says that by itself, but of several handlers at one path only what the first takes.
"""

from collections.abc import Sequence

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParams

from adapters.http.protocol.access import OPEN, may_call


def option_routes(handlers: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Return a route for each path of these handlers; these have to come before them."""
    taken: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            taken.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    return [_options_route(path, methods) for path, methods in taken.items()]


def _options_route(path: str, methods: set[str]) -> HTTPRouteHandler:
    # The front makes a GET of a HEAD.
    allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))

    @route(
        path,
        http_method="OPTIONS",
        status_code=204,
        include_in_schema=False,
        opt=may_call(OPEN),
    )
    async def options(query: QueryParams) -> Response[None]:
        """Say which methods there are, whatever the parameters."""
        return Response(None, headers={"Allow": allowed})

    return options
