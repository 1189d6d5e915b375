"""Cross-origin requests: the origins that may read answers, and send writes."""

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
_MAX_AGE_S = "600"
_REQUESTED_METHOD = b"access-control-request-method"
_READING = READING | {"OPTIONS", "TRACE"}
#: The values of Sec-Fetch-Site for a request from a page of this origin, or from no page.
_OWN_SITE = ("same-origin", "none")


class Cors:
    """The CORS policy: these origins, or any with `*`; credentials are never cookies here."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def lines(self, scope: Any) -> list[Line]:
        """Return the CORS headers of an answer."""
        # Also without an Origin: a cache must not reuse that answer for a request with one.
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
        """Return the reply to a preflight request; None for any other request."""
        is_preflight = scope["method"] == "OPTIONS" and header_of(scope, _REQUESTED_METHOD)
        if not is_preflight or not self._allowed(scope):
            return None
        allowed = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _MAX_AGE_S,
        }
        return Reply(HTTPStatus.NO_CONTENT, allowed, b"")

    def covers(self, scope: Any) -> bool:
        """Return whether a request comes from an allowed origin."""
        return bool(self._allowed(scope))

    def _allowed(self, scope: Any) -> str:
        """Return the origin that may read the answer, or `*`; "" if it may not."""
        origin = header_of(scope, b"origin")
        if not origin or not self._origins & {origin, "*"}:
            return ""
        return "*" if "*" in self._origins else origin


def refuse_other_sites(scope: Any, cors: Cors | None) -> None:
    """Raise Refusal for a write from a page of another site, unless CORS allows its origin.

    Browsers send some requests without a preflight, and the client's address may be enough for
    access here. Programs send neither `Sec-Fetch-Site` nor `Origin`.
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
