"""The connection to RabbitMQ, and the translation of its errors."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aio_pika import Connection, DeliveryMode, ExchangeType, Message
from aio_pika import exceptions as amqp
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aiormq.connection import TransportFactory
from aiormq.exceptions import ChannelAccessRefused, ConnectionNotAllowed
from pamqp.exceptions import PAMQPException
from yarl import URL

from domain.errors import QueueUnavailable

_LOST = "has dropped the connection"
#: The descriptions of errors; the first matching row is used.
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
def translated_errors(address: str) -> Iterator[None]:
    """Translate every failure of the broker at this address into QueueUnavailable."""
    try:
        yield
    except QueueUnavailable:
        raise
    except asyncio.CancelledError as error:
        # The library cancels tasks that wait on a lost channel: that is not our cancellation.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise QueueUnavailable(f"the broker at {address} {_LOST}") from error
    except Exception as error:
        raise QueueUnavailable(f"the broker at {address} {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, amqp.InvalidFrameError) and "Connection.OpenOk" in str(error):
        return "does not let this user into the virtual host"  # or it does not exist
    if isinstance(error, amqp.ChannelPreconditionFailed) and "inequivalent" in str(error):
        return f"has our queue with other settings; delete it (no job is lost): {error}"
    for kinds, reason in _REASONS:
        if isinstance(error, kinds):
            return reason
    return f"cannot be used: {type(error).__name__}"


#: How long closing may take; then the connection is aborted.
GOODBYE_S = 0.5
HEARTBEAT_S = 10
#: Dead announcements are inspected by people.
MOST_DEAD = 10_000

# The adapter publishes every failure once; the libraries would log every attempt, with a traceback.
for _library in ("aio_pika", "aiormq"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Broker:
    """The address of the broker, the names of the queues, and the time limits."""

    url: URL = field(repr=False)  # it may contain a password
    prefix: str
    tries: int
    patience_s: float
    connect_s: float

    @property
    def address(self) -> str:
        """Return the host and port of the broker, for messages."""
        port = self.url.port or (5671 if self.url.scheme == "amqps" else 5672)
        return f"{self.url.host_subcomponent}:{port}"

    @property
    def jobs(self) -> str:
        """Return the name of the queue of announcements."""
        return f"{self.prefix}.jobs"

    @property
    def dead(self) -> str:
        """Return the name of the exchange and queue of dead announcements."""
        return f"{self.prefix}.dead"


def parse(url: str) -> URL:
    """Return the parsed URL; raise ValueError, without repeating it, if it is invalid."""
    try:
        parsed = URL(url)
        sound = parsed.scheme in ("amqp", "amqps") and parsed.host and parsed.port != 0
    except ValueError:
        sound = None
    if not sound:
        raise ValueError("a broker's URL looks like amqp://user:password@host:5672/vhost")
    return parsed if "heartbeat" in parsed.query else parsed.update_query(heartbeat=HEARTBEAT_S)


class Link:
    """One connection with one channel; `on_loss` is called when these or the consumer are lost."""

    def __init__(self, broker: Broker, name: str, on_loss: Callable[[], None]) -> None:
        self._broker = broker
        self._wire = _Wire()
        self._connection = _Connection(broker.url, self._wire, name)
        self._on_loss = on_loss
        self._is_lost = False
        self._consumer: str | None = None
        self._channel: AbstractChannel
        self._jobs: AbstractQueue

    @classmethod
    async def open(
        cls, broker: Broker, name: str, on_loss: Callable[[], None] = lambda: None
    ) -> "Link":
        """Connect and declare the queues; raise QueueUnavailable if that is impossible in time."""
        link = cls(broker, name, on_loss)
        try:
            with translated_errors(broker.address):
                async with asyncio.timeout(broker.connect_s):
                    await link._connection.connect()
                    await link._declare()
        except BaseException:
            await link.close()
            raise
        return link

    @property
    def is_open(self) -> bool:
        """Return whether connection and channel are open, as far as this process knows."""
        return not (self._is_lost or self._channel.is_closed)

    async def is_blocked(self) -> bool:
        """Return whether the broker has reported that it accepts no messages."""
        transport = self._connection.transport
        try:
            async with asyncio.timeout(0):
                await transport.ready() if transport else None
        except TimeoutError:
            return True
        return False

    async def publish(self, job_id: str) -> None:
        """Announce the job, and return once the broker has confirmed it."""
        message = Message(
            job_id.encode(), content_type="text/plain", delivery_mode=DeliveryMode.PERSISTENT
        )
        await self._channel.default_exchange.publish(
            message, routing_key=self._broker.jobs, mandatory=True
        )

    async def consume(
        self, take: Callable[[AbstractIncomingMessage], Awaitable[None]], at_once: int
    ) -> None:
        """Start the consumer, with at most `at_once` unacknowledged announcements."""
        with translated_errors(self._broker.address):
            async with asyncio.timeout(self._broker.patience_s):
                await self._channel.set_qos(prefetch_count=at_once)
                self._consumer = await self._jobs.consume(take)

    async def stop(self) -> None:
        """Stop the consumer; delivered announcements can still be acknowledged."""
        if self._consumer is not None:
            with translated_errors(self._broker.address):
                async with asyncio.timeout(self._broker.patience_s):
                    await self._jobs.cancel(self._consumer)

    async def counts(self) -> tuple[int, int]:
        """Return the numbers of waiting announcements and of consumers."""
        with translated_errors(self._broker.address):
            if not self.is_open:
                raise ConnectionResetError
            channel = await self._channel.get_underlay_channel()
            async with asyncio.timeout(self._broker.patience_s):
                counts = await channel.queue_declare(self._broker.jobs, passive=True)
        return counts.message_count or 0, counts.consumer_count or 0

    async def close(self) -> None:
        """Close the connection, and abort it if that takes too long."""
        closing = asyncio.gather(self._connection.close(), return_exceptions=True)
        try:
            await asyncio.wait([closing], timeout=GOODBYE_S)
        finally:
            self._wire.cut()
            await asyncio.wait([closing], timeout=GOODBYE_S)

    async def _declare(self) -> None:
        self._channel = channel = await self._connection.channel(on_return_raises=True)
        channel.close_callbacks.add(self._lose)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._lose)
        broker = self._broker
        exchange = await channel.declare_exchange(broker.dead, ExchangeType.FANOUT, durable=True)
        dead = await channel.declare_queue(
            broker.dead,
            durable=True,
            arguments={"x-queue-type": "quorum", "x-max-length": MOST_DEAD},
        )
        await dead.bind(exchange)
        self._jobs = await channel.declare_queue(
            broker.jobs,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": broker.tries - 1,
                "x-dead-letter-exchange": broker.dead,
            },
        )

    def _lose(self, *_: object) -> None:
        self._is_lost = True
        self._on_loss()


class _Wire(TransportFactory):
    """The TCP or TLS connection; aborting it ends every wait on the link at once."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None

    async def create(
        self, url: URL, **options: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        certificates = options.pop("ssl_context_provider")
        if url.scheme == "amqps":
            options |= {"ssl": await certificates.get_context(), "ssl_shutdown_timeout": GOODBYE_S}
        reader, writer = await asyncio.open_connection(url.host, url.port, **options)
        self._writer = writer
        return reader, writer

    def cut(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


class _Connection(Connection):
    def __init__(self, url: URL, wire: _Wire, name: str) -> None:
        super().__init__(url, client_properties={"connection_name": name})
        self.kwargs["transport_factory"] = wire
