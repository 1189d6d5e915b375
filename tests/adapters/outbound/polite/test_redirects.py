"""Redirects are followed on the very host that was asked, and nowhere else (U35)."""

import pytest

from tests.adapters.outbound.stage import Stage, open_stage

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

    async with open_stage(resolve=resolve, named="upstream.test") as stage:
        failed = await stage.fail(fault)

        assert failed.kind == REFUSED
        assert asked == [("upstream.test", stage.port)]
        assert (stage.upstream.count(), stage.upstream.count("/forbidden")) == (1, 0)


@pytest.mark.parametrize("fault", ["U35-same-host", "U35-permanent", "U35-308"])
async def test_a_redirect_on_the_same_host_is_followed_and_paid_for(
    stage: Stage, fault: str
) -> None:
    answer = await stage.answer(fault)
    report = await stage.fetch(fault)

    assert answer.url == stage.upstream.url("/posts")
    assert (report.requests, report.retries, report.counts.inserted) == (2, 0, 100)


async def test_u35_a_redirect_to_itself_once_is_followed(stage: Stage) -> None:
    report = await stage.fetch("U35-to-itself-once")

    assert (report.requests, report.counts.inserted) == (2, 100)


@pytest.mark.parametrize(
    ("fault", "requests"), [("U35-loop", 4), ("U35-chain", 4), ("U35-empty-location", 1)]
)
async def test_redirects_without_end_or_aim_are_left(
    stage: Stage, fault: str, requests: int
) -> None:
    failed = await stage.fail(fault)

    assert failed.kind == REFUSED
    assert (stage.upstream.count(), failed.traffic.requests) == (requests, requests)
