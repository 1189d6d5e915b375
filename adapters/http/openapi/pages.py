"""Documentation: the OpenAPI document and a page to try it on, all from our own files."""

import hashlib
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from pathlib import Path

from adapters.http.protocol.asgi import Receive, Scope, Send, header_of, send_reply
from adapters.http.protocol.problems import PROBLEM_CODES, Refusal, Reply

PREFIXES = ("/docs", "/redoc", "/openapi.json")

_VERSION = "swagger-ui-5.35.0"
_STATIC = Path(__file__).parents[1] / "static" / _VERSION
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
    "start.js": "text/javascript; charset=utf-8",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_FOREVER = "public, max-age=31536000, immutable"

_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Catchment</title>
<link rel="icon" href="/docs/{_VERSION}/favicon-32x32.png">
<link rel="stylesheet" href="/docs/{_VERSION}/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/docs/{_VERSION}/swagger-ui-bundle.js"></script>
<script src="/docs/{_VERSION}/start.js"></script>
</body>
</html>
"""

_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#page", deepLinking: true, tryItOutEnabled: true,
  docExpansion: "list", defaultModelsExpandDepth: 0, validatorUrl: null,
});
"""


class Documentation:
    """Serves `/openapi.json`, `/docs` and what they need."""

    def __init__(self, document: Callable[[], bytes], made_from: Callable[[], object]) -> None:
        self._make = document
        self._made_from = made_from
        self._made: tuple[object, bytes] | None = None

    @property
    def _document(self) -> bytes:
        # Made when it is first asked for: it takes longer than all the rest of the start.
        origin = self._made_from()
        if self._made is None or self._made[0] is not origin:
            self._made = origin, self._make()
        return self._made[1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for documentation."""
        if scope["method"] not in ("GET", "HEAD"):
            allowed = {"Allow": "GET, HEAD"}
            raise Refusal(
                "method_not_allowed",
                "documentation can only be read",
                allowed,
            )
        await send_reply(scope, send, self._reply(scope, scope["path"].rstrip("/")))

    def _reply(self, scope: Scope, path: str) -> Reply:
        if path == "/openapi.json":
            return _cached(scope, self._document, "application/json", "no-cache")
        if path == "/redoc":
            return Reply(HTTPStatus.PERMANENT_REDIRECT, {"Location": "/docs"}, b"")
        if path == "/docs":
            return _cached(scope, _PAGE.encode(), "text/html; charset=utf-8", "no-cache")
        if path == "/docs/problems":
            return _cached(scope, _problem_page(), "text/html; charset=utf-8", "no-cache")
        directory, _, name = path.removeprefix("/docs/").partition("/")
        if directory != _VERSION or name not in _ASSETS:
            raise Refusal("not_found", "there is no such page; try /docs")
        body = _START.encode() if name == "start.js" else (_STATIC / name).read_bytes()
        return _cached(scope, body, _ASSETS[name], _FOREVER)


def _cached(scope: Scope, body: bytes, media_type: str, cache_control: str) -> Reply:
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {
        "Content-Type": media_type,
        "ETag": etag,
        "Cache-Control": cache_control,
        "Content-Security-Policy": _POLICY,
    }
    if etag in header_of(scope, b"if-none-match"):
        return Reply(HTTPStatus.NOT_MODIFIED, headers, b"")
    return Reply(HTTPStatus.OK, headers, body)


def _problem_page() -> bytes:
    rows = "".join(
        f'<h2 id="{escape(code)}">{escape(code)}</h2><p>{status}: {escape(text)}</p>'
        for code, (status, text) in sorted(PROBLEM_CODES.items())
    )
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>Problems - Catchment</title><style>body{{max-width:46rem;margin:2rem auto;padding:0 1rem;
font-family:system-ui,sans-serif;line-height:1.5}}h2{{font:600 1.05rem monospace}}</style></head>
<body><h1>Problems</h1><p>Every error is an <code>application/problem+json</code> object; its
<code>code</code> is one of these.</p>{rows}</body></html>""".encode()
