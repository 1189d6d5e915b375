"""The front page: the features of the sample upstream, for people."""

from collections.abc import Iterable, Mapping
from html import escape

from entrypoints.sample_upstream.faults import FAMILIES, Fault
from entrypoints.sample_upstream.subjects import SUBJECTS, settings_for

DETAILS = {
    "/posts?userId=3": "The posts of one user.",
    "/posts?_page=2&_limit=20": "One page, with Link headers and X-Total-Count.",
    "/posts?_count=100000": "A sample of another size.",
    "/posts/1": "One post.",
    "/repos/octocat/old-name": "A renamed repository.",
    "/_requests": "The requests received: how many, and the last 100.",
}
TEMPLATE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sample upstream</title>
<style>
:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}}
h1,h2,h3{{line-height:1.2}}h2{{margin-top:2.5rem}}h3{{margin:1.5rem 0 .25rem}}
code,pre{{font:14px/1.5 ui-monospace,monospace}}
pre{{padding:.75rem 1rem;border:1px solid #8886;border-radius:.5rem;overflow-x:auto}}
table{{width:100%;border-collapse:collapse;table-layout:fixed}}
td{{padding:.3rem .75rem .3rem 0;border-top:1px solid #8884;vertical-align:top}}
td:first-child{{width:17rem;overflow-wrap:anywhere}}td:nth-child(3){{width:19rem}}
</style></head>
<body>
<h1>Sample upstream</h1>
<p>It simulates the APIs that Catchment uses, on this machine, and misbehaves on demand.</p>
<h2>Without faults</h2>
<table>
{offers}
</table>
<p>To use it for every source, set this and start <code>catchment serve</code>:</p>
<pre>
{settings}
</pre>
<h2>With a fault</h2>
<p>There are {number} faults: put <code>/faults/NAME</code> before the path, in a setting as well.
Some never end by themselves.</p>
{families}
</body>
</html>
"""


def front_page(url: str) -> bytes:
    """Return the page as HTML, for a server at this URL."""
    offers = {subject.path: subject.description for subject in SUBJECTS} | DETAILS
    settings = [f"{name}={value}" for name, value in settings_for(url).items()]
    return TEMPLATE.format(
        offers="\n".join(_row(_link(path, path), text) for path, text in offers.items()),
        settings=escape("\n".join(settings)),
        number=sum(map(len, FAMILIES.values())),
        families="\n".join(_family(title, faults) for title, faults in FAMILIES.items()),
    ).encode()


def _family(title: str, faults: Mapping[str, Fault]) -> str:
    rows = [
        _row(f"<code>{escape(name)}</code>", fault.description, " ".join(_links(name, fault)))
        for name, fault in faults.items()
    ]
    return "\n".join([f"<h3>{escape(title)}</h3>", "<table>", *rows, "</table>"])


def _links(name: str, fault: Fault) -> Iterable[str]:
    return (_link(f"/faults/{name}{one.path}", one.name) for one in fault.subjects)


def _row(first: str, text: str, last: str = "") -> str:
    return f"<tr><td>{first}</td><td>{escape(text)}</td><td>{last}</td></tr>"


def _link(path: str, text: str) -> str:
    return f'<a href="{escape(path)}">{escape(text)}</a>'
