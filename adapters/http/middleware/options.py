"""OPTIONS: the methods that a path allows.

The framework's own answer has only the methods of the first handler of a path.
"""

from collections.abc import Sequence

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParams

from adapters.http.protocol.access import OPEN, may_call


def option_routes(handlers: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Return an OPTIONS route for each path of these handlers, to be registered before them."""
    allowed: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            allowed.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    return [_options_route(path, methods) for path, methods in allowed.items()]


def _options_route(path: str, methods: set[str]) -> HTTPRouteHandler:
    # RequestContextMiddleware turns HEAD into GET.
    allowed = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))

    @route(
        path,
        http_method="OPTIONS",
        status_code=204,
        include_in_schema=False,
        opt=may_call(OPEN),
    )
    async def options(query: QueryParams) -> Response[None]:
        """Return the allowed methods, whatever the parameters."""
        return Response(None, headers={"Allow": allowed})

    return options
