"""What the container makes of the settings for those who operate the service."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from adapters.http.operations.prometheus import Metrics
from adapters.system.events import EventDispatcher
from adapters.system.logs import Logs
from adapters.system.security_log import SecurityLog
from adapters.system.traces import NoTracer
from entrypoints.config.settings import InvalidSetting, Settings
from entrypoints.version import VERSION

if TYPE_CHECKING:
    # At run time it is imported only where traces are wanted: it is an extra.
    from adapters.system.otel import OtelTracer


def events_of(settings: Settings, metrics: Callable[[], Metrics]) -> EventDispatcher:
    """Return the dispatcher of events to the log and, unless they are off, to the metrics."""
    if settings.metrics == "off":
        return EventDispatcher(Logs(), SecurityLog())
    return EventDispatcher(Logs(), SecurityLog(), metrics())


def tracer_of(settings: Settings) -> "NoTracer | OtelTracer":
    """Return what records traces; raise InvalidSetting if the extra for them is missing."""
    if not settings.traces_url:
        return NoTracer()
    try:
        from adapters.system.otel import OtelTracer, exporter_to
    except ImportError as error:
        raise InvalidSetting(
            "CATCHMENT_TRACES_URL needs OpenTelemetry; install it with: pip install"
            " 'catchment[otel]', or leave the setting empty"
        ) from error
    return OtelTracer(exporter_to(settings.traces_url), VERSION)
