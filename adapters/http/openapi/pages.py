"""Documentation: the OpenAPI document, and a page to try it, all from our own files."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from adapters.http.protocol.asgi import Receive, Scope, Send, send_reply
from adapters.http.protocol.compression import MIN_BYTES, VARIES, gzip_kept, wants_gzip
from adapters.http.protocol.conditional import ANY, has
from adapters.http.protocol.links import current_prefix, link_to
from adapters.http.protocol.negotiation import JSON
from adapters.http.protocol.problems import PROBLEM_CODES, Refusal, Reply, refuse_writing

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
#: Documents cached, one for each prefix, and compressed bodies cached.
_PREFIXES_CACHED = 4
_PACKED_CACHED = 16
_FOREVER = "public, max-age=31536000, immutable"

#: Links are relative, so that the page works below any prefix, configured or not.
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Catchment</title>
<link rel="icon" href="@/{_VERSION}/favicon-32x32.png">
<link rel="stylesheet" href="@/{_VERSION}/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="@/{_VERSION}/swagger-ui-bundle.js"></script>
<script src="@/{_VERSION}/start.js"></script>
</body>
</html>
"""

#: The same for every prefix, because clients cache it forever.
_START = """SwaggerUIBundle({
  url: new URL("../../openapi.json", document.currentScript.src).href,
  dom_id: "#page", deepLinking: true, tryItOutEnabled: true,
  docExpansion: "list", defaultModelsExpandDepth: 0, validatorUrl: null,
});
"""
_HTML = "text/html; charset=utf-8"
#: Where the framework's document says that paths begin at the root.
_ROOT = b'"servers":[{"url":"/"}]'


class _Content(NamedTuple):
    """The content at a path, with its ETag."""

    body: bytes
    etag: str
    media_type: str
    cache_control: str


def _content(body: bytes, media_type: str, cache_control: str = "no-cache") -> _Content:
    # Weak, because the compressed body has the same one.
    etag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    return _Content(body, etag, media_type, cache_control)


@lru_cache(maxsize=1)
def _problems() -> _Content:
    return _content(_problem_page(), _HTML)


@lru_cache(maxsize=len(_ASSETS))
def _asset(name: str) -> _Content:
    body = _START.encode() if name == "start.js" else (_STATIC / name).read_bytes()
    return _content(body, _ASSETS[name], _FOREVER)


class Documentation:
    """The ASGI application for `/openapi.json`, `/docs` and its assets.

    The document is built again when the value of `version` is another object.
    """

    def __init__(self, document: Callable[[], bytes], version: Callable[[], object]) -> None:
        self._build = document
        self._version = version
        self._built: tuple[object, bytes] | None = None
        self._below = lru_cache(maxsize=_PREFIXES_CACHED)(_document_below)
        self._packed: dict[str, bytes] = {}

    @property
    def _document(self) -> bytes:
        # Built on the first request, because it takes longer than all the rest of the start.
        version = self._version()
        if self._built is None or self._built[0] is not version:
            self._built = version, self._build()
        return self._built[1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for documentation."""
        refuse_writing(scope["method"], "documentation")
        await send_reply(scope, send, self._reply(scope, scope["path"].rstrip("/")))

    def _reply(self, scope: Scope, path: str) -> Reply:
        if path == "/redoc":
            return Reply(HTTPStatus.PERMANENT_REDIRECT, {"Location": link_to("/docs")}, b"")
        content = self._find(scope["path"], path)
        headers = {
            "Content-Type": content.media_type,
            "ETag": content.etag,
            "Cache-Control": content.cache_control,
            "Content-Security-Policy": _POLICY,
            "Vary": VARIES.decode(),
        }
        if has(scope, content.etag, ANY):
            return Reply(HTTPStatus.NOT_MODIFIED, headers, b"")
        body = content.body
        is_text = not content.media_type.startswith("image/")
        if is_text and len(body) >= MIN_BYTES and wants_gzip(scope):
            headers["Content-Encoding"] = "gzip"
            body = self._compressed(content)
        return Reply(HTTPStatus.OK, headers, body)

    def _find(self, full_path: str, path: str) -> _Content:
        if path == "/openapi.json":
            return self._below(current_prefix(), self._document)
        if path == "/docs":
            page = _PAGE.replace("@", "." if full_path.endswith("/") else "docs")
            return _content(page.encode(), _HTML)
        if path == "/docs/problems":
            return _problems()
        directory, _, name = path.removeprefix("/docs/").partition("/")
        if directory != _VERSION or name not in _ASSETS:
            raise Refusal("not_found", "there is no such page; try /docs")
        return _asset(name)

    def _compressed(self, content: _Content) -> bytes:
        """Return a body compressed, from the cache."""
        packed = self._packed.get(content.etag)
        if packed is None:
            if len(self._packed) >= _PACKED_CACHED:
                self._packed.clear()
            packed = self._packed[content.etag] = gzip_kept(content.body)
        return packed


def _document_below(prefix: str, document: bytes) -> _Content:
    server = _ROOT.replace(b'"/"', b'"%b"' % (prefix or "/").encode())
    return _content(document.replace(_ROOT, server, 1), JSON)


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
