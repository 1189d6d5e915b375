"""A broker that will not have us says so plainly, and nothing says the password."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from yarl import URL

from adapters.queue.rabbitmq import RabbitQueue
from tests.adapters.queue.stand import Stand, fails
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

    with capture_logs() as logs, pytest.raises(Exception, match="refuses") as told:
        async with queue.listening(Listener()):
            await stand.proxy.arrived(2)
            await queue.announce(JOB)

    chain: BaseException | None = told.value
    while chain is not None:
        assert SECRET not in str(chain) + repr(chain)
        chain = chain.__cause__ or chain.__context__
    assert SECRET not in repr(queue) + repr(logs) + caplog.text
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
        RabbitQueue(url)

    assert SECRET not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__ or told.value.__context__ is None


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
    stand: Stand, certificate: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with proxied(broker_url(), tls) as (proxy, url):
        listener, trusting = Listener(), stand.queue(f"{url}?cafile={certificate}")

        async with trusting.listening(listener):
            await trusting.announce(JOB)
            await listener.until(lambda: listener.done == [JOB])
        proxy.stall()
        stalled = await fails(trusting.announce(JOB))
        proxy.resume()
        untrusting = await fails(stand.queue(url).announce(JOB))

        assert stalled[1] < 1.5
        assert untrusting[0].endswith("and we could not agree on TLS")
        await trusting.close()
