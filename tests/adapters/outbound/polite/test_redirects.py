"""Redirects are followed on the very host that was asked, and nowhere else (U35)."""

import pytest

from tests.adapters.outbound.client_fixture import ClientFixture, open_client

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
