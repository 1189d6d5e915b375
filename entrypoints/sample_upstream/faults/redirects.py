"""Faults of redirection: to forbidden addresses, in loops, across hosts."""

from collections.abc import Callable

from entrypoints.sample_upstream.documents import positive
from entrypoints.sample_upstream.exchange import Exchange, Handler
from entrypoints.sample_upstream.faults.fault import Fault

HOPS = 10
HERE = "{port}/forbidden"
FORBIDDEN = {
    "loopback": f"http://127.0.0.1:{HERE}",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "ipv6-loopback": f"http://[::1]:{HERE}",
    "unspecified": f"http://0.0.0.0:{HERE}",
    "decimal": f"http://2130706433:{HERE}",
    "octal": f"http://0177.0.0.1:{HERE}",
    "ipv4-mapped": f"http://[::ffff:127.0.0.1]:{HERE}",
    "userinfo": f"http://api.example.com@127.0.0.1:{HERE}",
    "file": "file:///etc/passwd",
    "gopher": f"gopher://127.0.0.1:{HERE}",
    "cross-host": f"http://localhost:{HERE}",
    "private": "http://10.0.0.1/posts",
}


def redirect(target: Callable[[Exchange], str], status: int = 302) -> Handler:
    """Return a handler that answers with this status and the target as Location."""

    async def play(exchange: Exchange) -> None:
        await exchange.answer(status, b"", [("Location", target(exchange))])

    return play


def away(template: str) -> Handler:
    """Return a handler that redirects to another address, on this server's port if given."""
    return redirect(lambda exchange: template.format(port=exchange.port))


def onward(exchange: Exchange) -> str:
    """Return the next of ten hops, the last of which is the correct path."""
    hop = positive(exchange.request.query.get("hop")) or 1
    return exchange.path if hop >= HOPS else f"{exchange.request.path}?hop={hop + 1}"


async def redirect_once(exchange: Exchange) -> None:
    """Redirect the first request to the same address, then serve correctly."""
    to_itself = redirect(lambda exchange: exchange.request.path)
    await (to_itself(exchange) if exchange.turn == 1 else exchange.serve())


def _home(exchange: Exchange) -> str:
    return exchange.path


REDIRECTS = {
    **{
        f"U35-{name}": Fault(f"302 to {template.format(port='PORT')}.", away(template))
        for name, template in FORBIDDEN.items()
    },
    "U35-same-host": Fault("302 to the correct path on this host.", redirect(_home)),
    "U35-permanent": Fault("301 to the correct path on this host.", redirect(_home, 301)),
    "U35-308": Fault("308 to the correct path; a POST must stay a POST.", redirect(_home, 308)),
    "U35-loop": Fault("302 to itself.", redirect(lambda exchange: exchange.request.path)),
    "U35-to-itself-once": Fault("302 to itself once, then all is well.", redirect_once),
    "U35-chain": Fault("Ten redirects, then all is well.", redirect(onward)),
    "U35-empty-location": Fault("302 with an empty Location.", redirect(lambda _: "")),
}
