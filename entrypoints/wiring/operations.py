"""What the container makes of the settings for those who operate the service."""

from collections.abc import Callable

from adapters.http.operations.prometheus import Metrics
from adapters.system.events import EventDispatcher
from adapters.system.logs import Logs
from entrypoints.config.settings import Settings


def events_of(settings: Settings, metrics: Callable[[], Metrics]) -> EventDispatcher:
    """Return the dispatcher of events to the log and, unless they are off, to the metrics."""
    if settings.metrics == "off":
        return EventDispatcher(Logs())
    return EventDispatcher(Logs(), metrics())
