"""EventDispatcher: hands each event to those who subscribe to its kind."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from application.ports.operations import Events
from domain.events import Event

Handler = Callable[[Any], None]

_log = logging.getLogger(__name__)


class Subscriber(Protocol):
    """Handles events of some kinds."""

    @property
    @abstractmethod
    def handlers(self) -> Mapping[type[Event], Handler]:
        """The function for each kind of event; asked for once."""


class EventDispatcher(Events):
    """Hands each event to its handlers, in the order of the subscribers."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._handlers: dict[type[Event], list[Handler]] = {}
        for subscriber in subscribers:
            for kind, handler in subscriber.handlers.items():
                self._handlers.setdefault(kind, []).append(handler)

    def publish(self, event: Event) -> None:
        """Call the handlers of the event's kind; an error of one keeps no other from it."""
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception:
                _log.exception("a subscriber failed at %s", type(event).__name__)

    def wants(self, kind: type[Event]) -> bool:
        """Whether there is a handler for events of this kind."""
        return kind in self._handlers
