"""Redirects are followed on the very host that was asked, and nowhere else (U35)."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.polite.messages import NotModified
from adapters.outbound.sources import HttpSource
from domain.sources import Request
from tests.adapters.outbound.client_fixture import Answering, ClientFixture, open_client, reply

REFUSED = ("SourceRefused", "redirect_refused")


@pytest.mark.parametrize(
    "fault",
    [
        "U35-loopback",
        "U35-metadata",
        "U35-ipv6-loopback",
        "U35-unspecified",
        "U35-decimal",
        "U35-octal",
        "U35-ipv4-mapped",
        "U35-userinfo",
        "U35-file",
        "U35-gopher",
        "U35-cross-host",
        "U35-private",
    ],
)
async def test_no_redirect_leads_elsewhere(fault: str) -> None:
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    async with open_client(resolve=resolve, named="upstream.test") as fixture:
        failed = await fixture.fail(fault)

        assert failed.kind == REFUSED
        assert asked == [("upstream.test", fixture.port)]
        assert (fixture.upstream.count(), fixture.upstream.count("/forbidden")) == (1, 0)


@pytest.mark.parametrize("fault", ["U35-same-host", "U35-permanent", "U35-308"])
async def test_a_redirect_on_the_same_host_is_followed_and_paid_for(
    fixture: ClientFixture, fault: str
) -> None:
    answer = await fixture.answer(fault)
    report = await fixture.fetch(fault)

    assert answer.url == fixture.upstream.url("/posts")
    assert (report.requests, report.retries, report.counts.inserted) == (2, 0, 100)


async def test_u35_a_redirect_to_itself_once_is_followed(fixture: ClientFixture) -> None:
    report = await fixture.fetch("U35-to-itself-once")

    assert (report.requests, report.counts.inserted) == (2, 100)


@pytest.mark.parametrize(
    ("fault", "requests"), [("U35-loop", 4), ("U35-chain", 4), ("U35-empty-location", 1)]
)
async def test_redirects_without_end_or_aim_are_left(
    fixture: ClientFixture, fault: str, requests: int
) -> None:
    failed = await fixture.fail(fault)

    assert failed.kind == REFUSED
    assert (fixture.upstream.count(), failed.traffic.requests) == (requests, requests)


# ---------------------------------------------------------------- what a Location may hold


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/a b.json", b"/a%20b.json"),
        ("/ä/ü?q=é", b"/%C3%A4/%C3%BC?q=%C3%A9"),
        ("  /a%20b  ", b"/a%20b"),
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
async def test_a_location_with_raw_text_is_percent_encoded_and_followed(
    location: str, path: bytes, charset: str
) -> None:
    head = b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: "
    moved = head + location.encode(charset) + b"\r\nX-Other: \xe4\r\n\r\n"
    async with Answering(moved, reply(b"[]")) as server:
        async with open_client(allowed_private=frozenset({server.place})) as fixture:
            answer = await fixture.answer(server.url("/"))

    assert answer.body == b"[]"
    assert server.heads[1].startswith(b"GET " + path + b" HTTP")


# ---------------------------------------------------------------- hosts that are named


@asynccontextmanager
async def sending_away(
    *replies: bytes, named: bool = True, allowed: Collection[str] = "both"
) -> AsyncIterator[tuple[ClientFixture, Answering, Answering]]:
    """A server that sends us to another one, whose replies these are."""
    async with Answering(*replies) as other:
        sends = reply(b"", f"Location: {other.url('/files/1')}", status="302 Found")
        async with Answering(sends) as asked:
            private = {asked.place, other.place} if allowed == "both" else {asked.place}
            follow = frozenset({other.place}) if named else frozenset()
            async with open_client(
                allowed_private=frozenset(private), follow_hosts=follow
            ) as fixture:
                yield fixture, asked, other


async def test_a_host_that_is_named_is_followed_without_anything_meant_for_the_first() -> None:
    async with sending_away(reply(b"[]")) as (fixture, asked, other):
        url, headers = asked.url("/"), {"Authorization": "Bearer x", "Accept": "a/b", "X-Key": "y"}
        answer = await fixture.answer(url, headers=headers)
        hosts = [await fixture.budget.state(server.place) for server in (asked, other)]

    assert answer.url == other.url("/files/1")
    assert b"Bearer x" in asked.heads[0]
    sent = other.heads[0].decode().lower().strip().split("\r\n")
    assert [line.split(":")[0] for line in sent[1:]] == [
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
    ]
    assert "accept: a/b" in sent
    assert [host.outcomes for host in hosts] == ["1", "1"]


async def test_a_host_that_is_not_named_is_not_followed() -> None:
    async with sending_away(reply(b"[]"), named=False) as (fixture, asked, other):
        failed = await fixture.fail(asked.url("/"))

    assert failed.kind == REFUSED
    assert "CATCHMENT_FOLLOW_HOSTS" in failed.error.detail
    assert other.heads == []


async def test_a_host_that_is_named_may_not_have_a_private_address_for_that() -> None:
    async with sending_away(reply(b"[]"), allowed="first") as (fixture, asked, other):
        failed = await fixture.fail(asked.url("/"))

    assert failed.kind == ("SourceRefused", "address_refused")
    assert other.heads == []


async def test_the_pages_of_a_host_we_were_sent_to_are_asked_without_a_secret() -> None:
    pages = reply(b"[]", 'Link: </files/2>; rel="next"'), reply(b"[ ]")
    async with sending_away(*pages) as (fixture, asked, other):
        secret = Request(asked.url("/"), headers={"Authorization": "Bearer x"})
        definition = replace(jsonplaceholder(""), request=secret)
        report = await fixture.fetch("", source=HttpSource(definition, fixture.client))

    assert (report.error, report.requests) == (None, 3)
    assert [b"Bearer x" in head for head in asked.heads + other.heads] == [True, False, False]


async def test_a_page_elsewhere_may_lead_back_to_the_source_s_own_host() -> None:
    async with Answering(reply(b"[]")) as other, Answering(reply(b"")) as asked:
        other.replies = [reply(b"[]", f"Link: <{asked.url('/2')}>; rel=next")]
        moved = reply(b"", f"Location: {other.url('/1')}", status="302 Found")
        asked.replies = [moved, reply(b"[ ]")]
        places = frozenset({asked.place, other.place})
        async with open_client(allowed_private=places, follow_hosts=places) as fixture:
            report = await fixture.fetch(asked.url("/"))

    assert (report.error, report.requests, len(asked.heads)) == (None, 3, 2)


# ---------------------------------------------------------------- validators


async def test_a_validator_is_sent_where_it_came_from_behind_a_redirect(
    fixture: ClientFixture,
) -> None:
    await fixture.fetch("U35-permanent")
    again = await fixture.fetch("U35-permanent")

    sent = [request.headers.get("if-none-match") for request in fixture.upstream.requests]
    assert [known is not None for known in sent] == [False, False, False, True]
    assert (again.requests, again.not_modified, again.error) == (2, 1, None)


async def test_a_redirect_that_leads_elsewhere_than_before_is_sent_no_validator(
    fixture: ClientFixture,
) -> None:
    answer = await fixture.answer("U35-permanent", url="http://other.example/", etag='"1"')

    sent = [request.headers.get("if-none-match") for request in fixture.upstream.requests]
    assert not isinstance(answer, NotModified)
    assert sent == [None, None]
