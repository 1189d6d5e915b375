"""Requests are signed last, for their own host alone, and no secret is left anywhere."""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from adapters.memory.system import MemorySecrets, SteerableClock
from adapters.outbound.polite.failures import Unauthorized
from adapters.outbound.polite.messages import Sign, UpstreamRequest, UpstreamResponse
from adapters.outbound.polite.urls import Url, parse
from application.ports.ingest import Ask
from domain.errors import SourceRefused, UnexpectedContent
from domain.payloads import Payload
from domain.reports import Traffic
from tests.adapters.outbound.declared.blocks import source_from

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "https://api.example.com/items"
FIELDS = '\nfields = { id = "integer" }'
SECRET = "a-long-secret"
SECRETS = {"KEY": SECRET}
OAUTH2 = """
[datasets.things.auth]
oauth2 = "https://a.example/t"
client_id = "c"
client_secret = { env = "KEY" }
"""


class SignedUpstream:
    """A client whose upstream answers by what requests are signed with."""

    def __init__(self, serve: Callable[[dict[str, str], dict[str, str]], Any]) -> None:
        self.clock = SteerableClock(NOON)
        self.forms: list[Mapping[str, str]] = []
        self.tokens: Callable[[], Any] = lambda: {"access_token": "token-0000", "expires_in": 20}
        self.asked: list[Url] = []
        self.allows = True
        self._serve = serve

    def may_see_secrets(self, url: Url) -> bool:
        """Return whether secrets may be sent there."""
        return self.allows

    async def ask_token(self, url: Url, form: Mapping[str, str], *_: Any) -> bytes:
        """Answer a request for a token."""
        self.forms.append(form)
        answer = self.tokens()
        return answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    async def get(self, url: Url, *_: Any, sign: Sign | None, **__: Any) -> UpstreamResponse:
        """Answer one request."""
        self.asked.append(url)
        signature = sign() if sign else None
        headers, params = (signature.headers, signature.params) if signature else ({}, {})
        query = dict(parse_qsl(urlsplit(url.text).query))
        body = self._serve(dict(headers), {**query, **params})
        return UpstreamResponse(
            url=url.text, status=200, body=msgspec.json.encode(body), received_at=NOON
        )


async def fetched(block: str, upstream: SignedUpstream, url: str = URL) -> list[Payload]:
    source = source_from(FIELDS + "\n" + block, url, upstream, MemorySecrets(SECRETS))  # type: ignore[arg-type]
    return [payload async for payload in source.ask(Ask(None, NOON, Traffic()))]


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ('{ header = "X-Key", value = { env = "KEY" } }', {"X-Key": SECRET}),
        ('{ bearer = { env = "KEY" } }', {"Authorization": f"Bearer {SECRET}"}),
        (
            '{ basic = "ann", password = { env = "KEY" } }',
            {"Authorization": "Basic " + base64.b64encode(f"ann:{SECRET}".encode()).decode()},
        ),
        ('{ basic = "ann" }', {"Authorization": "Basic " + base64.b64encode(b"ann:").decode()}),
    ],
)
async def test_headers_identify_the_client(auth: str, headers: dict[str, str]) -> None:
    seen = []
    upstream = SignedUpstream(lambda given, _: seen.append(given) or [{"id": 1}])  # type: ignore[func-returns-value]
    await fetched(f"auth = {auth}", upstream)
    assert seen == [headers]


async def test_a_secret_parameter_is_in_no_address_that_is_kept_even_if_links_echo_it() -> None:
    def serve(_: dict[str, str], params: dict[str, str]) -> Any:
        assert params["key"] == SECRET
        following = f"{URL}?key={SECRET}&page=2"
        return {
            "d": [{"id": int(params.get("page", 1))}],
            "next": following if "page" not in params else None,
        }

    upstream = SignedUpstream(serve)
    pages = 'records = "/d"\npages = { next = "/next" }'
    block = f'{pages}\nauth = {{ query = "key", value = {{ env = "KEY" }} }}'
    payloads = await fetched(block, upstream)
    assert [payload.url for payload in payloads] == [URL, f"{URL}?page=2"]
    assert not any(SECRET in url.text for url in upstream.asked)


async def test_a_token_is_asked_for_once_and_renewed_before_it_expires() -> None:
    seen: list[str] = []
    upstream = SignedUpstream(lambda given, _: seen.append(given["Authorization"]) or [{"id": 1}])  # type: ignore[func-returns-value]
    source = source_from(f'{FIELDS}{OAUTH2}scope = "read"', URL, upstream, MemorySecrets(SECRETS))  # type: ignore[arg-type]
    for advance in (0, 17, 2):
        upstream.clock.advance(timedelta(seconds=advance))
        assert [p async for p in source.ask(Ask(None, NOON, Traffic()))]

    assert seen == ["Bearer token-0000"] * 3
    assert (
        upstream.forms
        == [
            {
                "grant_type": "client_credentials",
                "client_id": "c",
                "client_secret": SECRET,
                "scope": "read",
            }
        ]
        * 2
    )


async def test_a_refused_token_is_renewed_once() -> None:
    tokens = iter(["token-0001", "token-0002"])
    refused = []

    def serve(given: dict[str, str], _: dict[str, str]) -> Any:
        if given["Authorization"] == "Bearer token-0001":
            refused.append(given)
            raise Unauthorized("401")
        return [{"id": 1}]

    upstream = SignedUpstream(serve)
    upstream.tokens = lambda: {"access_token": next(tokens)}
    assert len(await fetched(OAUTH2, upstream)) == 1
    assert len(refused) == 1


async def test_a_refusal_of_what_cannot_be_renewed_is_final() -> None:
    def serve(*_: Any) -> Any:
        raise Unauthorized(f"401 for {SECRET}")

    with pytest.raises(Unauthorized) as refused:
        await fetched('auth = { bearer = { env = "KEY" } }', SignedUpstream(serve))
    assert refused.value.detail == "401 for [secret]"


@pytest.mark.parametrize(
    "answer", [b"<html>", {"token": "x"}, {"access_token": "abcdefgh", "token_type": "mac"}]
)
async def test_a_failed_token_request_is_reported_without_its_body(answer: Any) -> None:
    upstream = SignedUpstream(lambda *_: [])
    upstream.tokens = lambda: answer
    with pytest.raises(UnexpectedContent, match=r"https://a.example/t answered (no|another) token"):
        await fetched(OAUTH2, upstream)


async def test_no_secret_is_sent_where_it_could_be_read_on_the_way() -> None:
    upstream = SignedUpstream(lambda *_: [])
    upstream.allows = False
    for auth in (
        "{ bearer = { env = 'KEY' } }",
        "{ oauth2 = 'http://a.example/t', client_id = 'c', client_secret = { env = 'KEY' } }",
    ):
        with pytest.raises(SourceRefused, match="is not encrypted") as refused:
            await fetched(f"auth = {auth}", upstream)
        assert refused.value.code == "auth_refused"
    assert upstream.asked == []


async def test_an_upstream_that_echoes_a_secret_leaves_none_in_quarantine() -> None:
    source = source_from(
        f'auth = {{ bearer = {{ env = "KEY" }} }}{FIELDS}',
        URL,
        SignedUpstream(lambda *_: [{"id": f"you sent {SECRET}"}]),  # type: ignore[arg-type]
        MemorySecrets(SECRETS),
    )
    [payload] = [payload async for payload in source.ask(Ask(None, NOON, Traffic()))]
    [rejection] = source.normalise(payload).rejections
    assert SECRET not in f"{rejection.reason}{rejection.excerpt}"
    assert "[secret]" in rejection.excerpt


def test_a_redirect_to_the_same_host_is_signed_and_loses_the_echo_and_another_is_not() -> None:
    from adapters.outbound.polite.messages import Signature

    request = UpstreamRequest(parse(URL), sign=lambda: Signature(params={"key": SECRET}))
    same = request.redirected(f"/items/?key={SECRET}&a=1")
    assert same.url.text == f"{URL}/?a=1"
    assert same.sign is request.sign
    other = request.redirected("https://b.example/", ["b.example"])
    assert other.sign is None
