"""A source does what its definition says: another value is another request, and no other code."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.outbound.builtin.posts import jsonplaceholder
from adapters.outbound.sources import HttpSource, source_of
from domain.builtin.posts import POSTS, Post
from domain.errors import SourceRefused
from domain.pages import FirstPage, Pages
from domain.sources import Request, SourceDefinition
from tests.adapters.outbound.client_fixture import Answering, ClientFixture, open_client, reply

POST = b'[{"userId":7,"id":1,"title":"a","body":"b"}]'
NEXT = 'Link: </posts?page=2>; rel="next"'


@pytest.fixture
async def server() -> AsyncIterator[Answering]:
    async with Answering(reply(POST, NEXT), reply(b"[]")) as server:
        yield server


@pytest.fixture
async def fixture(server: Answering) -> AsyncIterator[ClientFixture]:
    async with open_client(allowed_private=frozenset({server.place})) as fixture:
        yield fixture


@pytest.fixture
def definition(server: Answering) -> SourceDefinition[Post]:
    return jsonplaceholder(server.url("/posts"))


def sent(server: Answering) -> list[list[str]]:
    """The lines of each request, but for the host, which differs from run to run."""
    heads = [head.decode().lower().strip().split("\r\n") for head in server.heads]
    return [[line for line in head if not line.startswith("host:")] for head in heads]


async def test_a_source_has_its_names_from_its_definition(
    fixture: ClientFixture, server: Answering, definition: SourceDefinition[Post]
) -> None:
    source = HttpSource(definition, fixture.client)

    assert (source.name, source.normaliser_version, source.host) == (
        "jsonplaceholder",
        "jsonplaceholder-1 json-2",
        server.place,
    )


async def test_every_page_is_asked_with_the_headers_and_the_first_with_the_parameters(
    fixture: ClientFixture, server: Answering, definition: SourceDefinition[Post]
) -> None:
    request = Request(server.url("/posts"), {"per_page": "2"}, {"X-Who": "me", "accept": "a/b"})

    await fixture.fetch("", source=HttpSource(replace(definition, request=request), fixture.client))

    lines = ["user-agent: catchment/0.1", "accept: a/b", "x-who: me", "accept-encoding: gzip"]
    assert sent(server) == [
        ["get /posts?per_page=2 http/1.1", *lines],
        ["get /posts?page=2 http/1.1", *lines],
    ]


async def test_its_format_is_preferred_and_no_answer_is_ruled_out(
    fixture: ClientFixture, server: Answering, definition: SourceDefinition[Post]
) -> None:
    await fixture.fetch("", source=HttpSource(definition, fixture.client))

    accepts = [line for head in sent(server) for line in head if line.startswith("accept:")]
    assert accepts == ["accept: application/json, */*;q=0.1"] * 2


async def test_a_source_cannot_ask_for_what_we_do_not_unpack(
    fixture: ClientFixture, server: Answering, definition: SourceDefinition[Post]
) -> None:
    request = Request(server.url("/posts"), headers={"accept-encoding": "br"})

    await fixture.fetch("", source=HttpSource(replace(definition, request=request), fixture.client))

    assert "accept-encoding: gzip" in sent(server)[0]
    assert "accept-encoding: br" not in sent(server)[0]


async def test_a_source_without_pages_is_one_answer_whatever_that_links_to(
    fixture: ClientFixture, server: Answering, definition: SourceDefinition[Post]
) -> None:
    source = HttpSource(replace(definition, pages=Pages(paginator=FirstPage())), fixture.client)

    report = await fixture.fetch("", source=source)

    assert (report.requests, report.counts.inserted) == (1, 1)


@pytest.mark.parametrize("url", ["ftp://example.com/posts", "file:///etc/passwd", "posts.json"])
def test_a_source_with_a_bad_address_is_not_even_made(fixture: ClientFixture, url: str) -> None:
    with pytest.raises(SourceRefused, match="plain http or https URL"):
        source_of(jsonplaceholder(url), fixture.client)


async def test_a_secret_in_the_url_is_sent_and_not_kept_and_the_validators_still_hold() -> None:
    async with open_client() as fixture:
        url = fixture.url("/posts")
        source = HttpSource(jsonplaceholder(f"{url}?api_key=s3cret"), fixture.client)

        first = await fixture.gather(POSTS, source)
        again = await fixture.gather(POSTS, source)

    [kept] = {payload.url for payload in fixture.database.kept["posts", source.name]}
    assert kept == f"{url}?api_key=***"
    assert "s3cret" not in str(fixture.database.tables["posts"].checkpoints)
    assert (first.error, again.not_modified) == (None, 1)
