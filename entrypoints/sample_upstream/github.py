"""GitHub's `GET /repos/{owner}/{name}`: with a quota, and with failures."""

import msgspec

from entrypoints.sample_upstream.answers import is_current
from entrypoints.sample_upstream.documents import Document, Record, encode
from entrypoints.sample_upstream.exchange import Exchange
from entrypoints.sample_upstream.hub import RENAMED, Quota

BAD_TOKEN = "bad"  # noqa: S105 - the token that is refused
TOKEN_LIMIT = 5000
SECONDARY_SECONDS = 60
DOCUMENTATION = "https://docs.github.com/rest"
LIMITS_PAGE = f"{DOCUMENTATION}/overview/resources-in-the-rest-api#rate-limiting"
NOT_FOUND = {
    "message": "Not Found",
    "documentation_url": f"{DOCUMENTATION}/repos/repos#get-a-repository",
    "status": "404",
}
GARBAGE = b'{"message": <html>Unicorn!'
NO_AGENT = (
    b"Request forbidden by administrative rules. "
    b"Please make sure your request has a User-Agent header."
)


async def answer_repository(exchange: Exchange) -> None:
    """Answer as GitHub does, or with the failure of the state."""
    failure = exchange.state.github_failure
    if failure == "hang":
        await exchange.silence()
    elif failure == "garbage":
        await exchange.answer(200, GARBAGE, RateLimitState(exchange).headers())
    elif failure is not None:
        await _fail(exchange, int(failure))
    elif not exchange.request.headers.get("user-agent"):
        await exchange.answer(403, NO_AGENT, content_type="text/plain; charset=utf-8")
    else:
        await _answer(exchange)


def repository_document(exchange: Exchange) -> Document:
    """Return the requested repository, or the body of a 404."""
    return exchange.state.hub.document(_full_name(exchange)) or Document(encode(NOT_FOUND))


def respell_description(exchange: Exchange, spelling: bytes) -> bytes:
    """Return the repository with exactly these bytes as description."""
    facts = exchange.state.hub.facts(_full_name(exchange)) or NOT_FOUND
    return encode({**facts, "description": msgspec.Raw(spelling)})


class RateLimitState:
    """The client of a request, and its quota, which is in every answer of GitHub."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.token = _token(exchange)
        state, is_known = exchange.state, self.token not in ("", BAD_TOKEN)
        self.limit = TOKEN_LIMIT if is_known else state.github_limit
        self.quota: Quota = state.hub.quota(self.token if is_known else "", state.now())

    @property
    def remaining(self) -> int:
        """Return the number of remaining requests until the quota is reset."""
        return max(self.limit - self.quota.used, 0)

    def headers(self) -> list[tuple[str, str]]:
        """Return the quota as headers."""
        return [
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(self.remaining)),
            ("X-RateLimit-Used", str(self.limit - self.remaining)),
            ("X-RateLimit-Reset", str(int(self.quota.reset_at.timestamp()))),
            ("X-RateLimit-Resource", "core"),
            ("X-GitHub-Media-Type", "github.v3; format=json"),
        ]

    async def answer(self, status: int, body: Record, *headers: tuple[str, str]) -> None:
        """Answer with a short body and the quota."""
        await self._exchange.answer(status, encode(body), [*self.headers(), *headers])


async def _answer(exchange: Exchange) -> None:
    client = RateLimitState(exchange)
    if client.remaining <= 0:
        await client.answer(403, _message(_exceeded(client.token), LIMITS_PAGE))
        return
    document = exchange.state.hub.document(_full_name(exchange))
    is_valid = client.token != BAD_TOKEN
    if is_valid and document is not None and is_current(exchange, document.strong_etag):
        await exchange.answer(304, headers=[*client.headers(), *_caching(client, document)])
        return
    client.quota.used += 1
    if not is_valid:
        await client.answer(401, _message("Bad credentials", DOCUMENTATION))
    elif document is None:
        await _answer_unknown(exchange, client)
    else:
        headers = [*client.headers(), *_caching(client, document)]
        await exchange.answer(200, document.body, headers, holds=True)


async def _answer_unknown(exchange: Exchange, client: RateLimitState) -> None:
    new_name = RENAMED.get(_full_name(exchange).lower())
    if new_name is None:
        await client.answer(404, NOT_FOUND)
        return
    location = f"{exchange.request.origin}/repos/{new_name}"
    body = {**_message("Moved Permanently", DOCUMENTATION), "url": location}
    await client.answer(301, body, ("Location", location))


async def _fail(exchange: Exchange, status: int) -> None:
    client = RateLimitState(exchange)
    if status in (403, 429):
        message = "You have exceeded a secondary rate limit. Please wait a few minutes."
        retry = ("Retry-After", str(SECONDARY_SECONDS))
        await client.answer(status, _message(message, LIMITS_PAGE), retry)
    else:
        await client.answer(status, _message(f"This is a simulated {status}.", DOCUMENTATION))


def _caching(client: RateLimitState, document: Document) -> list[tuple[str, str]]:
    shared = "private" if client.token else "public"
    return [
        ("ETag", document.strong_etag),
        ("Cache-Control", f"{shared}, max-age=60, s-maxage=60"),
        ("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding"),
    ]


def _exceeded(token: str) -> str:
    if token:
        return "API rate limit exceeded for user ID 1."
    return (
        "API rate limit exceeded for 127.0.0.1. (But here's the good news: Authenticated "
        "requests get a higher rate limit. Check out the documentation for more details.)"
    )


def _message(message: str, page: str) -> Record:
    return {"message": message, "documentation_url": page}


def _full_name(exchange: Exchange) -> str:
    return exchange.path.removeprefix("/repos/")


def _token(exchange: Exchange) -> str:
    kind, _, token = exchange.request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() in ("bearer", "token") else ""
