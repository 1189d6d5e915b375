"""The dispatcher: an event reaches those who subscribe to its kind, whatever others do."""

import pytest

from adapters.system.events import EventDispatcher, Handler
from domain.events import BrokerFound, BrokerLost, Event, ReadServed, RequestServed

LOST = BrokerLost(reason="it is away")


class Subscribed:
    """Remembers the events of some kinds."""

    def __init__(self, *kinds: type[Event]) -> None:
        self.heard: list[Event] = []
        self.handlers: dict[type[Event], Handler] = dict.fromkeys(kinds, self.heard.append)


class Broken:
    """Fails at every event."""

    def __init__(self) -> None:
        self.handlers: dict[type[Event], Handler] = {BrokerLost: lambda event: 1 / 0}


def test_an_event_reaches_all_who_subscribe_to_its_kind_and_nothing_else() -> None:
    both, one = Subscribed(BrokerLost, BrokerFound), Subscribed(BrokerFound)
    dispatcher = EventDispatcher(both, one)

    dispatcher.publish(LOST)
    dispatcher.publish(BrokerFound())

    assert both.heard == [LOST, BrokerFound()]
    assert one.heard == [BrokerFound()]


def test_only_kinds_with_a_subscriber_are_wanted() -> None:
    dispatcher = EventDispatcher(Subscribed(RequestServed))

    assert dispatcher.wants(RequestServed)
    assert not dispatcher.wants(ReadServed)
    EventDispatcher().publish(LOST)


def test_a_subscriber_that_fails_keeps_no_other_from_an_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = Subscribed(BrokerLost)

    EventDispatcher(Broken(), other).publish(LOST)

    assert other.heard == [LOST]
    [record] = caplog.records
    assert record.getMessage() == "a subscriber failed at BrokerLost"
    assert record.exc_info is not None
