"""Faults of the status: refusals, rate limits, and times to retry."""

from datetime import timedelta

from entrypoints.sample_upstream.documents import encode
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault, with_recovery

RETRY_SECONDS = 7
RATE_LIMIT_SECONDS = 60
DAY = timedelta(days=1)


def refusal(status: int, *headers: tuple[str, str]) -> Handler:
    """Return a handler that answers every request with this status and a JSON error."""

    async def play(exchange: Exchange) -> None:
        await exchange.answer(status, encode({"error": f"This is a simulated {status}."}), headers)

    return play


def limited_until(date_format: str) -> Handler:
    """Return a handler that answers 429 with a date seven seconds ahead, in this format."""

    async def play(exchange: Exchange) -> None:
        retry_at = exchange.state.now() + timedelta(seconds=RETRY_SECONDS)
        await refusal(429, ("Retry-After", retry_at.strftime(date_format)))(exchange)

    return play


async def limited_in_the_past(exchange: Exchange) -> None:
    """Answer 429 with a date one hour ago."""
    await refusal(429, ("Retry-After", exchange.date(-timedelta(hours=1))))(exchange)


async def limited_as_github(exchange: Exchange) -> None:
    """Answer 403 with GitHub's rate limit headers, resetting in a minute."""
    reset = int(exchange.state.now().timestamp()) + RATE_LIMIT_SECONDS
    headers = {
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Used": "60",
        "X-RateLimit-Reset": str(reset),
    }
    await exchange.answer(403, encode({"message": "API rate limit exceeded"}), headers.items())


def with_skewed_clock(skew: timedelta) -> Handler:
    """Return a handler that answers 429 by a wrong clock, in `Date` and `Retry-After`."""

    async def play(exchange: Exchange) -> None:
        retry_at = exchange.date(skew + timedelta(seconds=RETRY_SECONDS))
        await refusal(429, ("Date", exchange.date(skew)), ("Retry-After", retry_at))(exchange)

    return play


async def flapping(exchange: Exchange) -> None:
    """Fail every other request, beginning with the first."""
    await (refusal(503)(exchange) if exchange.turn % 2 else exchange.serve())


def _limited(value: str) -> Fault:
    return Fault(f"429 with Retry-After: {value}.", refusal(429, ("Retry-After", value)))


UNAVAILABLE = {
    name: fault
    for status in (500, 502, 503, 504)
    for name, fault in with_recovery(
        f"U1-{status}", Fault(f"Every answer is {status}.", refusal(status))
    ).items()
}
TWICE = (("Retry-After", "7"), ("Retry-After", "30"))
STATUS = {
    **UNAVAILABLE,
    **with_recovery("U2", _limited(str(RETRY_SECONDS))),
    "U3-date": Fault(
        "429 with Retry-After as an HTTP date seven seconds ahead.",
        limited_until("%a, %d %b %Y %H:%M:%S GMT"),
    ),
    "U3-rfc850": Fault(
        "429 with that date in the obsolete RFC 850 form.",
        limited_until("%A, %d-%b-%y %H:%M:%S GMT"),
    ),
    "U3-asctime": Fault(
        "429 with that date in the obsolete asctime form.",
        limited_until("%a %b %e %H:%M:%S %Y"),
    ),
    "U4-past": Fault("429 with a Retry-After date one hour ago.", limited_in_the_past),
    "U4-negative": _limited("-5"),
    "U4-zero": _limited("0"),
    "U4-huge": _limited("1000000000"),
    "U4-exponent": _limited("1e9"),
    "U4-text": _limited("abc"),
    "U4-fraction": _limited("1.5"),
    "U4-repeated": Fault("429 with two Retry-After headers, 7 and 30.", refusal(429, *TWICE)),
    "U5": Fault("403 as GitHub's rate limit.", limited_as_github),
    "U6-401": Fault("401: the caller is unknown.", refusal(401, ("WWW-Authenticate", "Bearer"))),
    "U6-403": Fault("403: the caller may not read this.", refusal(403)),
    "U7-404": Fault("404: it does not exist.", refusal(404)),
    "U7-410": Fault("410: it was removed.", refusal(410)),
    "U39-ahead": Fault(
        "429 with Date and Retry-After from a clock one day fast.", with_skewed_clock(DAY)
    ),
    "U39-behind": Fault(
        "429 with Date and Retry-After from a clock one day slow.", with_skewed_clock(-DAY)
    ),
    "U41": Fault("Every other request fails with 503, beginning with the first.", flapping),
}
