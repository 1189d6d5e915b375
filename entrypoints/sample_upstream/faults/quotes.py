"""Faults of tickers: missing quotes, odd prices, repeated ids, invalid dates (U31)."""

from collections.abc import Callable

import msgspec

from entrypoints.sample_upstream.documents import SPOILED, Record, encode
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault, befalling
from entrypoints.sample_upstream.subjects import TICKERS

Change = Callable[[Record], Record]


def third(change: Change) -> Handler:
    """Return a handler that answers with the third ticker changed."""
    return chosen(lambda index: index == SPOILED, change)


def chosen(choice: Callable[[int], bool], change: Change) -> Handler:
    """Return a handler that answers with the chosen tickers changed."""

    async def play(exchange: Exchange) -> None:
        tickers = exchange.state.market.tickers
        changed = [change(one) if choice(index) else one for index, one in enumerate(tickers)]
        await exchange.answer(200, encode(changed))

    return play


def having(field: str, value: object) -> Change:
    """Return a change that sets a field."""
    return lambda ticker: {**ticker, field: value}


def lacking(field: str) -> Change:
    """Return a change that removes a field."""
    return lambda ticker: {name: ticker[name] for name in ticker if name != field}


def priced(value: object) -> Change:
    """Return a change that sets the price in USD."""
    return in_usd(having("price", value))


def in_usd(change: Change) -> Change:
    """Return a change of the quote in USD."""

    def changed(ticker: Record) -> Record:
        quoted = (ticker.get("quotes") or {}).get("USD") or {}
        return {**ticker, "quotes": {"USD": change(quoted)}}

    return changed


def repeated(change: Change) -> Handler:
    """Return a handler that answers with the third ticker repeated at the end, changed."""

    async def play(exchange: Exchange) -> None:
        tickers = exchange.state.market.tickers
        again = [change(ticker) for ticker in tickers[SPOILED : SPOILED + 1]]
        await exchange.answer(200, encode([*tickers, *again]))

    return play


def _renamed(ticker: Record) -> Record:
    return {"prices" if name == "quotes" else name: value for name, value in ticker.items()}


def _raw(spelling: str) -> msgspec.Raw:
    return msgspec.Raw(spelling.encode())


PRICES: dict[str, tuple[str, object]] = {
    "price-null": ("is null", None),
    "price-text": ("is a string", "1.0002"),
    "price-word": ("is a word", "plenty"),
    "price-empty": ("is an empty string", ""),
    "price-nan": ("is NaN", _raw("NaN")),
    "price-nan-text": ("is the string NaN", "NaN"),
    "price-infinity": ("is Infinity", _raw("Infinity")),
    "price-overflow": ("is 1e400", _raw("1e400")),
    "price-negative": ("is negative", -1.5),
    "price-zero": ("is zero", 0),
    "price-5000-digits": ("has 5000 digits", _raw("9" * 5000)),
}
DATES: dict[str, tuple[str, object]] = {
    "date-impossible": ("30 February", "2026-02-30T12:00:00Z"),
    "date-hour-24": ("at 24:00", "2026-01-01T24:00:00Z"),
    "date-no-zone": ("without a zone", "2026-01-01T00:00:00"),
    "date-gap": ("in the gap of a clock set forward", "2026-03-29T02:30:00[Europe/Berlin]"),
    "date-offset": ("with an offset, which is valid", "2026-01-01T02:00:00+02:00"),
    "date-year-1": ("in the year 1", "0001-01-01T00:00:00Z"),
    "date-year-9999": ("in the year 9999", "9999-12-31T23:59:59Z"),
    "date-before-year-1": ("before the year 1 in UTC", "0001-01-01T00:00:00+14:00"),
    "date-milliseconds": ("in milliseconds since 1970", 1_767_225_600_000),
    "date-seconds": ("in seconds since 1970", 1_767_225_600),
    "date-empty": ("empty", ""),
    "date-null": ("null", None),
}
QUOTES = befalling(
    {
        "ticker-no-quotes": Fault("One ticker has no quotes.", third(lacking("quotes"))),
        "ticker-quotes-null": Fault("The quotes of one are null.", third(having("quotes", None))),
        "ticker-quotes-empty": Fault("The quotes of one are empty.", third(having("quotes", {}))),
        "ticker-no-usd": Fault(
            "One is quoted only in BTC.", third(having("quotes", {"BTC": {"price": 1e-5}}))
        ),
        "ticker-no-price": Fault("One quote has no price.", third(in_usd(lacking("price")))),
        **{
            f"ticker-{name}": Fault(f"One price {what}.", third(priced(value)))
            for name, (what, value) in PRICES.items()
        },
        "ticker-id-twice": Fault(
            "One id comes twice, with different prices.", repeated(priced(2.0))
        ),
        "ticker-twice": Fault("One ticker comes twice.", repeated(lambda ticker: ticker)),
        "ticker-no-id": Fault("One ticker has no id.", third(lacking("id"))),
        "ticker-id-empty": Fault("One id is empty.", third(having("id", ""))),
        "ticker-id-slash": Fault("One id has a slash in it.", third(having("id", "usdt/tether"))),
        "ticker-symbol-null": Fault("One symbol is null.", third(having("symbol", None))),
        "ticker-rank-negative": Fault("One rank is -1.", third(having("rank", -1))),
        "ticker-rank-zero": Fault("One rank is 0.", third(having("rank", 0))),
        "ticker-rank-text": Fault("One rank is a string.", third(having("rank", "3"))),
        "ticker-rank-2-64": Fault("One rank is 2 to the 64.", third(having("rank", 2**64))),
        **{
            f"ticker-{name}": Fault(
                f"One last_updated is {what}.", third(having("last_updated", value))
            )
            for name, (what, value) in DATES.items()
        },
        "ticker-mostly-bad": Fault(
            "Every other ticker has no quotes.",
            chosen(lambda index: index % 2 == 0, lacking("quotes")),
        ),
        "ticker-all-bad": Fault("All quotes are called prices.", chosen(lambda _: True, _renamed)),
    },
    TICKERS,
)
