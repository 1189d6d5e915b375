"""The webhook that sends alerts to the operator as JSON."""

from datetime import timedelta

import msgspec

from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.urls import parse
from application.ports.operations import Notifier
from application.ports.system import Clock
from domain.alerts import Alert
from domain.errors import SourceTimedOut
from domain.reports import Traffic

#: The longest time for sending an alert, including the wait for the host's budget.
LONGEST = timedelta(seconds=10)


class HttpNotifier(Notifier):
    """A notifier that posts alerts to one URL, within the budget and breaker of its host."""

    def __init__(self, client: PoliteClient, url: str, clock: Clock) -> None:
        self._client = client
        self._url = url
        self._clock = clock

    async def notify(self, alert: Alert) -> None:
        """Send the alert once; any 2xx response means that it has arrived."""
        until = self._clock.now() + LONGEST
        # The path of the URL may contain a token, so no message shows it.
        url = parse(self._url, discreet=True)
        try:
            await self._client.post(url, msgspec.json.encode(alert), until, Traffic())
        except SourceTimedOut as error:
            seconds = f"{LONGEST.total_seconds():.0f} seconds"
            raise SourceTimedOut(f"{url.label} did not take the alert within {seconds}") from error
