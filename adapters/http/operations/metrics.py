"""Metrics: `GET /metrics`, the text that Prometheus scrapes."""

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from adapters.http.operations.prometheus import MEDIA_TYPE, Metrics
from adapters.http.protocol.access import ADMIN, ANYONE, may_call, role_of
from adapters.http.protocol.routing import Answer, AnyRequest, Use, problems
from application.operations.gauges import ReadGauges
from domain.dataset import Role


def metrics_routes(access: str) -> list[HTTPRouteHandler]:
    """Return the route of metrics: `open` shows anyone the totals, `token` is for admins alone.

    There is none if they are `off`.
    """
    if access == "off":
        return []

    @get(
        "/metrics",
        operation_id="show_metrics",
        summary="Show metrics",
        responses={
            **problems(),
            200: Answer(str, description="Everything measured", media_type=MediaType.TEXT),
        },
        opt=may_call(ADMIN if access == "token" else ANYONE),
        tags=["overview"],
    )
    async def show_metrics(
        request: AnyRequest, metrics: Use[Metrics], read_gauges: Use[ReadGauges]
    ) -> Response[bytes]:
        """Return the metrics of this process and database, in the text format of Prometheus.

        An admin gets every label, anyone else the totals and what concerns the process.
        """
        labelled = role_of(request.scope) is Role.ADMIN
        text = metrics.text(await read_gauges(), labelled)
        return Response(text, media_type=MEDIA_TYPE)

    return [show_metrics]
