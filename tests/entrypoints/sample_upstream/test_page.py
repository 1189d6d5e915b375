"""The front page: it lists the subjects and faults."""

import html
import re

import httpx
import pytest

from entrypoints.sample_upstream import FAULTS, SampleUpstream


async def links(client: httpx.AsyncClient) -> list[str]:
    return [
        html.unescape(one) for one in re.findall('href="([^"]+)"', (await client.get("/")).text)
    ]


async def test_every_fault_is_linked_wherever_it_can_be(client: httpx.AsyncClient) -> None:
    linked = await links(client)
    faults = [link for link in linked if link.startswith("/faults/")]

    expected = [
        f"/faults/{name}{subject.path}"
        for name, fault in FAULTS.items()
        for subject in fault.subjects
    ]
    assert sorted(faults) == sorted(expected)
    assert "/posts?_page=2&_limit=20" in linked


async def test_every_description_is_there(client: httpx.AsyncClient) -> None:
    page = html.unescape((await client.get("/")).text)

    assert [fault for fault in FAULTS.values() if fault.description not in page] == []
    assert f"{len(FAULTS)} faults" in page


async def test_everything_else_it_links_to_is_there(client: httpx.AsyncClient) -> None:
    others = [link for link in await links(client) if not link.startswith("/faults/")]

    statuses = {link: (await client.get(link)).status_code for link in others}

    assert statuses.pop("/repos/octocat/old-name") == 301
    assert set(statuses.values()) == {200}


async def test_it_says_how_to_be_asked(client: httpx.AsyncClient, upstream: SampleUpstream) -> None:
    page = (await client.get("/")).text

    assert f"CATCHMENT_POSTS_URL={upstream.url('/posts')}\n" in page
    assert f"CATCHMENT_GITHUB_URL={upstream.url('')}\n" in page


@pytest.mark.parametrize("host", ['"><script>', "a&b"])
async def test_a_strange_host_name_cannot_break_it(client: httpx.AsyncClient, host: str) -> None:
    page = (await client.get("/", headers={"Host": host})).text

    assert host not in page
    assert html.escape(host) in page
