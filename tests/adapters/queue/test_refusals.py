"""A broker that will not have us says so plainly, and nothing says the password."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from yarl import URL

from adapters.memory.operations import MemoryEvents
from adapters.queue.rabbitmq import RabbitQueue
from adapters.queue.rabbitmq_link import parse
from tests.adapters.queue.stand import Stand, fails, works_again
from tests.contract.queues import Listener, job_ids
from tests.services.proxy import proxied
from tests.services.rabbitmq import broker_url

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(30)]

SECRET = "hunter2"
[JOB] = job_ids(1)


@asynccontextmanager
async def saying(reply: bytes) -> AsyncIterator[str]:
    """Something that is no broker, and answers this to whoever speaks to it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(reply)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine, with its key, that nobody has signed."""
    path = tmp_path / "it.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", path, "-out", tmp_path / "out.pem", "-subj", "/CN=broker.test",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + tmp_path.joinpath("out.pem").read_text())
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """What a server needs to show that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": SECRET}, "refuses the user name or the password"),
        ({"path": "/no such vhost"}, "does not let this user into the virtual host"),
        ({"host": "no-such-host.invalid"}, "cannot be reached"),
    ],
)
async def test_a_refusal_is_told_plainly(stand: Stand, change: dict[str, str], reason: str) -> None:
    url = URL(broker_url()).with_password(change.get("password", "guest"))
    url = url.with_path(change.get("path", "/")).with_host(change.get("host", "127.0.0.1"))
    queue = stand.queue(str(url))

    told = await fails(queue.announce(JOB))

    assert told[0] == f"the broker at {url.host}:{url.port or 5672} {reason}"


async def test_the_password_is_nowhere(
    stand: Stand, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    queue = stand.queue(str(URL(stand.url).with_password(SECRET)))
    caplog.set_level("DEBUG")

    with pytest.raises(Exception, match="refuses") as told:
        async with queue.listening(Listener()):
            await stand.proxy.arrived(2)
            await queue.announce(JOB)

    chain: BaseException | None = told.value
    while chain is not None:
        assert SECRET not in str(chain) + repr(chain)
        chain = chain.__cause__ or chain.__context__
    assert SECRET not in repr(queue) + repr(stand.events.published) + caplog.text
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{SECRET}@127.0.0.1/",
        f"amqp://me:{SECRET}@127.0.0.1:99999999/",
        f"amqp://me:{SECRET}@127.0.0.1:port/",
        f"amqp://me:{SECRET}@",
        f"me:{SECRET}@broker",
        "",
    ],
)
def test_what_is_no_address_of_a_broker_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="a broker's URL looks like") as told:
        RabbitQueue(url, MemoryEvents())

    assert SECRET not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__ or told.value.__context__ is None


def test_heartbeats_are_asked_for_unless_the_address_says_otherwise() -> None:
    assert parse("amqp://broker/").query["heartbeat"] == "10"
    assert parse("amqp://broker/?heartbeat=60").query["heartbeat"] == "60"


@pytest.mark.parametrize("vhost", ["", "/", "//", "/%2F"])
async def test_the_virtual_host_is_the_one_of_the_address(stand: Stand, vhost: str) -> None:
    queue = stand.queue(stand.url.rstrip("/") + vhost)

    await queue.check()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"AMQP\x00\x01\x00\x00",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
        bytes(range(256)),
        b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x14\xce",
    ],
)
async def test_what_is_no_broker_is_not_taken_for_one(stand: Stand, reply: bytes) -> None:
    async with saying(reply) as url:
        reason, elapsed_s = await fails(stand.queue(url).check())

    assert reason.startswith(f"the broker at 127.0.0.1:{URL(url).port} ")
    assert elapsed_s < 1.5


async def test_a_queue_that_others_have_made_differently_is_named(stand: Stand) -> None:
    await stand.delete()
    await stand.channel.declare_queue(f"{stand.prefix}.jobs", durable=True)

    reason, _ = await fails(stand.queue().announce(JOB))

    assert "has our queue with other settings; delete it" in reason
    assert f"for queue '{stand.prefix}.jobs'" in reason


async def test_it_speaks_tls_to_a_broker_whose_certificate_is_trusted(
    stand: Stand, certificate: Path, tls: ssl.SSLContext
) -> None:
    async with proxied(broker_url(), tls) as (proxy, url):
        listener, trusting = Listener(), stand.queue(f"{url}?cafile={certificate}")

        async with trusting.listening(listener):
            await trusting.announce(JOB)
            await listener.until(lambda: listener.done == [JOB])
        proxy.stall()
        stalled = [await fails(trusting.announce(JOB)) for _ in range(2)]
        proxy.spare()  # but not the connections that stall
        recovery_s = await works_again(lambda: trusting.announce(JOB))
        untrusting = await fails(stand.queue(url).announce(JOB))
        await trusting.close()

        assert all(elapsed_s < 1.5 for _, elapsed_s in stalled)
        assert recovery_s < 3.0
        assert untrusting[0].endswith("and we could not agree on TLS")


async def test_a_farewell_over_tls_is_not_waited_for(
    stand: Stand, certificate: Path, tls: ssl.SSLContext
) -> None:
    async with (
        proxied(broker_url(), tls) as (inner, encrypted),
        proxied(encrypted) as (outer, url),
    ):
        queue = stand.queue(f"{url}?cafile={certificate}")
        inner.stall()  # so that nothing follows after agreeing on TLS
        asking = asyncio.create_task(fails(queue.check()))
        await inner.arrived(1)
        outer.stall()
        await asking
        for proxy in (inner, outer):
            proxy.spare()

        assert await works_again(queue.check) < 3.0
        await queue.close()
