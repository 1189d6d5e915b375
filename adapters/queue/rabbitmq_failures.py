"""What goes wrong between us and the broker, in plain words."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from aio_pika import exceptions as amqp
from aiormq.exceptions import ChannelAccessRefused, ConnectionNotAllowed
from pamqp.exceptions import PAMQPException

from domain.errors import QueueUnavailable

_LOST = "has dropped the connection"
#: What the broker does, or did, by the first row that fits.
_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (
        (amqp.ProbableAuthenticationError, amqp.AuthenticationError),
        "refuses the user name or the password",
    ),
    (ConnectionNotAllowed, "does not let this user into the virtual host"),
    (ChannelAccessRefused, "does not let this user declare or use the queues"),
    ((amqp.PublishError, amqp.ChannelNotFoundEntity), "has lost the queue of announcements"),
    (amqp.DeliveryError, "did not take the announcement"),
    (
        (amqp.IncompatibleProtocolError, amqp.ProtocolSyntaxError, PAMQPException),
        "does not speak AMQP 0-9-1",
    ),
    (TimeoutError, "did not answer in time"),
    (ssl.SSLError, "and we could not agree on TLS"),
    ((amqp.AMQPError, amqp.ChannelInvalidStateError, ConnectionResetError), _LOST),
    (OSError, "cannot be reached"),
)


@contextmanager
def plainly(place: str) -> Iterator[None]:
    """Turn every failure between us and the broker at `place` into QueueUnavailable."""
    try:
        yield
    except QueueUnavailable:
        raise
    except asyncio.CancelledError as error:
        # The library cancels whoever waits on a channel it loses: that is nobody's wish.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise QueueUnavailable(f"the broker at {place} {_LOST}") from error
    except Exception as error:
        raise QueueUnavailable(f"the broker at {place} {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, amqp.InvalidFrameError) and "Connection.OpenOk" in str(error):
        return "does not let this user into the virtual host"  # or has none of that name
    if isinstance(error, amqp.ChannelPreconditionFailed) and "inequivalent" in str(error):
        return f"has our queue with other settings; delete it, no job is lost: {error}"
    for kinds, reason in _REASONS:
        if isinstance(error, kinds):
            return reason
    return f"cannot be used: {type(error).__name__}"
