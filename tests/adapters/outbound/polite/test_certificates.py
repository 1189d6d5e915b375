"""A certificate is checked against the name that was asked for, always (U37)."""

import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.adapters.outbound.client_fixture import (
    Answering,
    ClientFixture,
    open_client,
    reply,
    replying,
)

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
#: The alert of a server that speaks nothing newer than TLS 1.1.
TOO_OLD = b"\x15\x03\x02\x00\x02\x02\x46"
NAME = "upstream.test"
TLS_ERROR = ("SourceRefused", "tls_error")

VALID, EXPIRED = "20991231235959Z", "20210101000000Z"
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")

Serve = Callable[[str, str], ssl.SSLContext]


async def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the key and certificate of an authority of our own."""
    folder = tmp_path_factory.mktemp("authority")
    _openssl(folder, "req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem",
             "-subj", "/CN=Test authority")  # fmt: skip
    (folder / "ca.index").touch()
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca=it\n[it]\ndatabase=ca.index\nnew_certs_dir=.\nrand_serial=yes\n"
        "default_md=sha256\npolicy=any\ncopy_extensions=copy\nunique_subject=no\n"
        "[any]\ncommonName=supplied\n"
    )
    return folder


@pytest.fixture
def trust(authority: Path) -> ssl.SSLContext:
    """What a client needs to trust that authority."""
    return ssl.create_default_context(cafile=str(authority / "ca.pem"))


@pytest.fixture
def serve(authority: Path) -> Serve:
    """Makes a server's context with a certificate for a name, valid until a year."""

    def make(name: str, until: str) -> ssl.SSLContext:
        _openssl(authority, "req", *_NEW_KEY, "-keyout", "it.key", "-out", "it.csr",
                 "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")  # fmt: skip
        _openssl(authority, "ca", "-batch", "-config", "ca.conf", "-in", "it.csr", "-out", "it.pem",
                 "-cert", "ca.pem", "-keyfile", "ca.key", "-notext",
                 "-startdate", "20200101000000Z", "-enddate", until)  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority / "it.pem", authority / "it.key")
        return context

    return make


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@asynccontextmanager
async def connected(
    tls: ssl.SSLContext | None, trust: ssl.SSLContext | None, reply: bytes = HELLO
) -> AsyncIterator[tuple[ClientFixture, str]]:
    """A server with that context, a fixture that trusts so, and the server's address."""
    async with replying(reply, tls) as key:
        named = f"{NAME}:{key.partition(':')[2]}"
        allowed = frozenset({named})
        async with open_client(resolve=loopback, allowed_private=allowed, tls=trust) as fixture:
            yield fixture, f"https://{named}/"


async def test_u37_a_good_certificate_is_accepted_for_the_name_asked_for(
    serve: Serve, trust: ssl.SSLContext
) -> None:
    server = serve(NAME, VALID)
    names: list[str | None] = []
    server.sni_callback = lambda _, name, __: names.append(name)

    async with connected(server, trust) as (fixture, url):
        answer = await fixture.answer(url)

    assert (answer.status, names) == (200, [NAME])


@pytest.mark.parametrize(("name", "until"), [("other.test", VALID), (NAME, EXPIRED)])
async def test_u37_a_wrong_name_or_an_expired_certificate_is_final(
    serve: Serve, trust: ssl.SSLContext, name: str, until: str
) -> None:
    async with connected(serve(name, until), trust) as (fixture, url):
        failed = await fixture.fail(url)

    assert (failed.kind, failed.traffic.requests) == (TLS_ERROR, 1)


async def test_u37_an_unknown_authority_is_final(serve: Serve) -> None:
    async with connected(serve(NAME, VALID), None) as (fixture, url):
        failed = await fixture.fail(url)

    assert (failed.kind, failed.traffic.requests) == (TLS_ERROR, 1)


async def test_u37_a_certificate_swapped_later_is_checked_too(
    serve: Serve, authority: Path, trust: ssl.SSLContext
) -> None:
    server = serve(NAME, VALID)
    async with connected(server, trust) as (fixture, url):
        first = await fixture.answer(url)
        serve(NAME, EXPIRED)
        server.load_cert_chain(authority / "it.pem", authority / "it.key")

        failed = await fixture.fail(url)

    assert (first.status, failed.kind) == (200, TLS_ERROR)


@pytest.mark.parametrize("reply", [TOO_OLD, HELLO])
async def test_u37_an_old_protocol_or_none_at_all_is_final(reply: bytes) -> None:
    async with connected(None, None, reply) as (fixture, url):
        failed = await fixture.fail(url)

    assert (failed.kind, failed.traffic.requests) == (TLS_ERROR, 1)


async def test_a_next_link_that_forgets_the_encryption_is_asked_with_it(
    serve: Serve, trust: ssl.SSLContext
) -> None:
    first, second = reply(b"[]"), reply(b"[ ]")
    async with Answering(first, second, tls=serve(NAME, VALID)) as server:
        place = server.place.replace("127.0.0.1", NAME)
        server.replies[0] = reply(b"[]", f'Link: <http://{place}/2>; rel="next"')
        allowed = frozenset({place})
        async with open_client(tls=trust, resolve=loopback, allowed_private=allowed) as fixture:
            report = await fixture.fetch(f"https://{place}/1")

    assert (report.error, report.requests) == (None, 2)
    assert server.heads[1].startswith(b"GET /2 ")


async def test_a_redirect_that_forgets_the_encryption_is_followed_with_it(
    serve: Serve, trust: ssl.SSLContext
) -> None:
    async with Answering(b"", reply(b"[]"), tls=serve(NAME, VALID)) as server:
        place = server.place.replace("127.0.0.1", NAME)
        server.replies[0] = reply(b"", f"Location: http://{place}/2", status="301 Moved")
        allowed = frozenset({place})
        async with open_client(tls=trust, resolve=loopback, allowed_private=allowed) as fixture:
            answer = await fixture.answer(f"https://{place}/1")

    assert answer.url == f"https://{place}/2"
