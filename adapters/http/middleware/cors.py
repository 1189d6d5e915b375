"""Cross-origin requests: which pages of other sites may read responses, and send writes."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from adapters.http.protocol.asgi import Line, header_of
from adapters.http.protocol.problems import READING, Refusal, Reply

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = (
    "Accept, Authorization, baggage, Content-Type, Idempotency-Key, If-Match, If-None-Match,"
    " Prefer, traceparent, tracestate, X-Request-ID"
)
_EXPOSED = (
    b"Age, Allow, Content-Disposition, ETag, Idempotent-Replayed, Link, Location,"
    b" Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"
)
_KEPT_S = "600"
_READING = READING | {"OPTIONS", "TRACE"}
#: What browsers say of a request from a page of this origin, or from no page.
_OWN_SITE = ("same-origin", "none")


class Cors:
    """Allows these origins, or any with `*`; credentials are headers here, never cookies."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def lines(self, scope: Any) -> list[Line]:
        """The headers by which a browser lets the page read the answer."""
        # Also to a request without an origin: a cache must not give its answer to one with.
        varies = [(b"vary", b"Origin")]
        allowed = self._allowed(scope)
        if not allowed:
            return varies
        return [
            (b"access-control-allow-origin", allowed.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED),
            *varies,
        ]

    def preflight(self, scope: Any) -> Reply | None:
        """The answer to a browser that asks beforehand; None for any other request."""
        asks = scope["method"] == "OPTIONS" and header_of(scope, b"access-control-request-method")
        if not asks or not self._allowed(scope):
            return None
        allowed = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _KEPT_S,
        }
        return Reply(HTTPStatus.NO_CONTENT, allowed, b"")

    def covers(self, scope: Any) -> bool:
        """Return whether a request comes from an allowed origin."""
        return bool(self._allowed(scope))

    def _allowed(self, scope: Any) -> str:
        """The origin that may read the answer, or any; nothing for one that may not."""
        origin = header_of(scope, b"origin")
        if not origin or not self._origins & {origin, "*"}:
            return ""
        return "*" if "*" in self._origins else origin


def refuse_other_sites(scope: Any, cors: Cors | None) -> None:
    """Raise a Refusal for a write that a page of another site sends, unless CORS allows its origin.

    Browsers send some requests without asking first, and here an address alone may be enough to be
    let in. Programs send neither `Sec-Fetch-Site` nor `Origin`.
    """
    if scope["method"] in _READING:
        return
    site = header_of(scope, b"sec-fetch-site")
    if site:
        is_own = site in _OWN_SITE
    else:
        origin = header_of(scope, b"origin")
        is_own = not origin or origin.partition("://")[2] == header_of(scope, b"host")
    if not is_own and not (cors and cors.covers(scope)):
        raise Refusal(
            "cross_site",
            "a page of another site may not send this; CATCHMENT_CORS_ORIGINS names those that may",
        )
