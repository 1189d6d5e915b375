"""Faults of posts as records: odd numbers, nesting, doubled keys and ids, drift, shrinking."""

from collections.abc import Callable

from entrypoints.sample_upstream.documents import SPOILED, Record, encode, with_raw
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import IN_JSON, Fault, befalling
from entrypoints.sample_upstream.subjects import POSTS

NESTING = 100_000
USUAL_POSTS, SHRUNK_POSTS = 10_000, 12

Change = Callable[[Record], Record]


def changed(change: Change, every: int) -> Handler:
    """Return a handler that answers with every n-th record changed, from the first on."""

    async def play(exchange: Exchange) -> None:
        records = [
            record if index % every else change(record)
            for index, record in enumerate(exchange.records)
        ]
        await exchange.answer(200, encode(records))

    return play


def numbered(field: str, spelling: str) -> Handler:
    """Return a handler that answers with this text as a number of the third post."""

    async def play(exchange: Exchange) -> None:
        await exchange.answer(200, encode(with_raw(exchange.records, field, spelling.encode())))

    return play


async def nested_text(exchange: Exchange) -> None:
    """Answer with a list in a list, 100 000 deep, where a text should be."""
    nested = b"[" * NESTING + b"]" * NESTING
    await exchange.show(exchange.subject.respell(exchange, nested))


async def nested_body(exchange: Exchange) -> None:
    """Answer with a list in a list, 100 000 deep."""
    await exchange.answer(200, b"[" * NESTING + b"]" * NESTING)


async def doubled_key(exchange: Exchange) -> None:
    """Answer with two titles in the third post."""
    doubled = with_raw(exchange.records, "title", b'"the first title","title":"the last title"')
    await exchange.answer(200, encode(doubled))


def repeated(change: Change) -> Handler:
    """Return a handler that answers with the third post repeated at the end, changed."""

    async def play(exchange: Exchange) -> None:
        again = [change(record) for record in exchange.records[SPOILED : SPOILED + 1]]
        await exchange.answer(200, encode([*exchange.records, *again]))

    return play


async def shrinking(exchange: Exchange) -> None:
    """Answer with 10 000 posts the first time and 12 from then on."""
    number = USUAL_POSTS if exchange.turn == 1 else SHRUNK_POSTS
    await exchange.answer(200, exchange.state.collection(number).whole.body)


def _without(field: str) -> Change:
    return lambda record: {name: value for name, value in record.items() if name != field}


def _renamed(record: Record) -> Record:
    return {"headline" if name == "title" else name: value for name, value in record.items()}


def _with(field: str, value: object) -> Change:
    return lambda record: {**record, field: value}


NUMBERS = {
    "nan": "NaN",
    "infinity": "-Infinity",
    "negative-zero": "-0",
    "overflow": "1e400",
    "above-2-53": str(2**53 + 1),
    "2-64": str(2**64),
    "5000-digits": "9" * 5000,
}
OF_POSTS = {
    **{
        f"U24-{name}": Fault(
            f"One userId is {spelling[:20]}{'…' * (len(spelling) > 20)}.",
            numbered("userId", spelling),
        )
        for name, spelling in NUMBERS.items()
    },
    "U26": Fault("One post has two titles.", doubled_key),
    "U27-within-page": Fault("One post comes twice.", repeated(lambda record: record)),
    "U27-conflict": Fault(
        "One id comes twice, with different titles.", repeated(_with("title", "the later title"))
    ),
    "U28-new-field": Fault("Every post has another field.", changed(_with("language", "en"), 1)),
    "U28-removed-field": Fault("Every tenth post has no title.", changed(_without("title"), 10)),
    "U28-renamed-field": Fault("Every tenth title is called headline.", changed(_renamed, 10)),
    "U28-type-flip": Fault("Every tenth userId is text.", changed(_with("userId", "seven"), 10)),
    "U28-null": Fault("Every tenth title is null.", changed(_with("title", None), 10)),
    "U28-mostly-bad": Fault("Every other post has no title.", changed(_without("title"), 2)),
    "U28-all-bad": Fault("Every title is called headline.", changed(_renamed, 1)),
    "U29": Fault("The first time 10 000 posts, then 12.", shrinking),
}
RECORDS = {
    **befalling(OF_POSTS, POSTS),
    "U25": Fault("The body is nested 100 000 deep.", nested_body, IN_JSON),
    "U25-in-record": Fault("One text is nested 100 000 deep.", nested_text, IN_JSON),
}
