"""The operator as a URL that takes an alert as JSON."""

from datetime import timedelta

import msgspec

from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.urls import parse
from application.ports.operations import Notifier
from application.ports.system import Clock
from domain.alerts import Alert
from domain.errors import SourceTimedOut
from domain.reports import Traffic

#: So long an alert may take, waiting for the host's budget included.
LONGEST = timedelta(seconds=10)


class HttpNotifier(Notifier):
    """Sends each alert to one URL, politely: its host has a budget and a breaker, too."""

    def __init__(self, client: PoliteClient, url: str, clock: Clock) -> None:
        self._client = client
        self._url = url
        self._clock = clock

    async def notify(self, alert: Alert) -> None:
        """Send the alert once; any answer of the 200s is its arrival."""
        until = self._clock.now() + LONGEST
        # The path of the URL may hold a token, so it is in no message.
        url = parse(self._url, discreet=True)
        try:
            await self._client.post(url, msgspec.json.encode(alert), until, Traffic())
        except SourceTimedOut as error:
            seconds = f"{LONGEST.total_seconds():.0f} seconds"
            raise SourceTimedOut(f"{url.place} did not take the alert within {seconds}") from error
