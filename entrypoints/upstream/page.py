"""The front page: everything the sample upstream offers, for people."""

from functools import cache
from html import escape

from entrypoints.upstream.faults import FAULTS

OFFERS = {
    "/posts": "100 posts: userId, id, title, body.",
    "/posts?userId=3": "The posts of one user.",
    "/posts?_page=2&_limit=20": "One page, with Link headers and X-Total-Count.",
    "/posts?_count=100000": "A sample of another size.",
    "/posts/1": "One post.",
    "/_requests": "The requests received: how many, and the last 100.",
}
TEMPLATE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Sample upstream</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
dt{{font-family:ui-monospace,monospace}}dd{{margin:0 0 .5rem 1rem}}</style></head>
<body>
<h1>Sample upstream</h1>
<p>A small API to fetch from. It answers with ETag, Last-Modified, gzip and keep-alive.</p>
<dl>
{offers}
</dl>
<h2>Faults</h2>
<p>The same posts, each served with one thing wrong. Some never end by themselves.</p>
<dl>
{faults}
</dl>
</body>
</html>
"""


@cache
def front_page() -> bytes:
    """The page as HTML."""
    faults = {f"/faults/{name}/posts": fault.description for name, fault in FAULTS.items()}
    return TEMPLATE.format(offers=_entries(OFFERS), faults=_entries(faults)).encode()


def _entries(offers: dict[str, str]) -> str:
    return "\n".join(
        f'<dt><a href="{escape(path)}">{escape(path)}</a></dt><dd>{escape(text)}</dd>'
        for path, text in offers.items()
    )
