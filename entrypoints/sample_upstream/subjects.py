"""The five subjects of the sample upstream, each served like the API it simulates."""

import re

import msgspec

from entrypoints.sample_upstream.answers import answer_document
from entrypoints.sample_upstream.assets import CSV, read_rows, write_rows
from entrypoints.sample_upstream.documents import SPOILED, Document, encode, with_raw
from entrypoints.sample_upstream.exchange import Exchange, Subject
from entrypoints.sample_upstream.github import (
    answer_repository,
    repository_document,
    respell_description,
)
from entrypoints.sample_upstream.listing import list_posts

NAME_COLUMN = 2
PLACEHOLDER = "a placeholder that no asset is called"


def find_subject(path: str) -> Subject | None:
    """Return the subject at a path, None if there is none."""
    return next((one for one in SUBJECTS if re.fullmatch(one.pattern, path)), None)


def settings_for(url: str) -> dict[str, str]:
    """Return the settings that make Catchment use the server at this URL for every source."""
    return {
        "CATCHMENT_POSTS_URL": f"{url}{POSTS.path}",
        "CATCHMENT_COINPAPRIKA_URL": f"{url}{TICKERS.path}",
        "CATCHMENT_ASSETS_CSV": f"{url}{ASSETS.path}",
        "CATCHMENT_TELEMETRY_URL": f"{url}{POINT.path}",
        "CATCHMENT_GITHUB_URL": url,
    }


async def show_document(exchange: Exchange) -> None:
    """Answer with the subject's document."""
    await answer_document(exchange, exchange.document, [], exchange.subject.content_type)


async def show_point(exchange: Exchange) -> None:
    """Answer with the next point, which may not be cached."""
    headers = [("Cache-Control", "no-store")]
    await exchange.answer(200, exchange.body, headers, holds=True)


def _respelled_posts(exchange: Exchange, spelling: bytes) -> bytes:
    return encode(with_raw(exchange.records, "title", spelling))


def _respelled_tickers(exchange: Exchange, spelling: bytes) -> bytes:
    return encode(with_raw(exchange.state.market.tickers, "name", spelling))


def _respelled_assets(exchange: Exchange, spelling: bytes) -> bytes:
    header_and_rows = read_rows(exchange.body.decode())
    for row in header_and_rows[1 + SPOILED : 2 + SPOILED]:
        row[NAME_COLUMN : NAME_COLUMN + 1] = [PLACEHOLDER]
    # CSV doubles a quote within quotes, where JSON puts a backslash before it.
    cell = spelling.replace(rb"\"", b'""')
    return write_rows(header_and_rows).encode().replace(PLACEHOLDER.encode(), cell)


def _respelled_point(exchange: Exchange, spelling: bytes) -> bytes:
    return encode({**exchange.state.next_point(), "tags": [msgspec.Raw(spelling)]})


POSTS = Subject(
    name="posts",
    path="/posts",
    pattern="/posts",
    description="JSONPlaceholder: 100 posts with userId, id, title and body.",
    document=lambda exchange: exchange.state.collection().whole,
    serve=list_posts,
    respell=_respelled_posts,
)
TICKERS = Subject(
    name="tickers",
    path="/v1/tickers",
    pattern="/v1/tickers",
    description="CoinPaprika: 50 coins with their prices. Two different ones are called UNI.",
    document=lambda exchange: exchange.state.market.document,
    serve=show_document,
    respell=_respelled_tickers,
)
ASSETS = Subject(
    name="assets",
    path="/assets.csv",
    pattern=r"/assets\.csv",
    description="A CSV of 20 assets, some of them known to CoinPaprika, too.",
    document=lambda exchange: exchange.state.assets,
    serve=show_document,
    respell=_respelled_assets,
    content_type=CSV,
)
POINT = Subject(
    name="point",
    path="/telemetry",
    pattern="/telemetry",
    description="A telemetry server: one point a request, some tagged, now and then an old one.",
    document=lambda exchange: Document(encode(exchange.state.next_point())),
    serve=show_point,
    respell=_respelled_point,
)
REPOSITORY = Subject(
    name="repository",
    path="/repos/litestar-org/litestar",
    pattern="/repos/[^/]+/[^/]+",
    description="GitHub: the facts of a repository, 60 an hour, or 5000 with a token.",
    document=repository_document,
    serve=answer_repository,
    respell=respell_description,
)
SUBJECTS = (POSTS, TICKERS, ASSETS, POINT, REPOSITORY)
