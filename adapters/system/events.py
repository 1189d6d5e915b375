"""EventDispatcher: passes each event to the subscribers of its kind."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from application.ports.operations import Events
from domain.events import Event

Handler = Callable[[Any], None]

_log = logging.getLogger(__name__)


class Subscriber(Protocol):
    """A handler of events of some kinds."""

    @property
    @abstractmethod
    def handlers(self) -> Mapping[type[Event], Handler]:
        """Return the function for each kind of event; read once."""


class EventDispatcher(Events):
    """A dispatcher of events to their handlers, in the order of the subscribers."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._handlers: dict[type[Event], list[Handler]] = {}
        for subscriber in subscribers:
            for kind, handler in subscriber.handlers.items():
                self._handlers.setdefault(kind, []).append(handler)

    def publish(self, event: Event) -> None:
        """Call the handlers of the event's kind; an error of one does not affect the others."""
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception:
                _log.exception("a subscriber failed at %s", type(event).__name__)

    def wants(self, kind: type[Event]) -> bool:
        """Return whether there is a handler for events of this kind."""
        return kind in self._handlers
