"""Addresses we ask: read strictly, named harmlessly, followed only on the same host."""

import re
from urllib.parse import urljoin

import msgspec

from domain.errors import SourceRefused

_PORTS = {"http": 80, "https": 443}
_LONGEST_PLACE = 120

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#\\]*)?([?#][^\\]*)?",
    re.IGNORECASE,
)


class Url(msgspec.Struct, frozen=True):
    """An address: `text` as it was written, and the parts that matter to us.

    `key` is the host as budgets know it: with its port, unless that is the usual one. `place` is
    the address fit for a message: without user, query and fragment, and not too long.
    """

    text: str
    scheme: str
    host: str
    port: int
    key: str
    place: str

    def leads_to(self, reference: str) -> "Url | None":
        """Where a redirect or a link leads, or None when that is not on this very host."""
        try:
            there = parse(urljoin(self.text, reference))
        except (SourceRefused, ValueError):
            return None
        return there if there._origin in (self._origin, self._upgraded) else None

    @property
    def _origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def _upgraded(self) -> tuple[str, str, int]:
        if self.port == _PORTS[self.scheme]:
            return "https", self.host, _PORTS["https"]
        return self._origin


def parse(text: str, discreet: bool = False) -> Url:
    """Read an http or https address; SourceRefused when it is anything else.

    The path of a `discreet` one, which may hold a token, is not in its `place`.
    """
    match = _URL.fullmatch(text)
    printable = text.isascii() and text.isprintable() and " " not in text
    scheme = match["scheme"].lower() if match else ""
    port = int(match["port"] or _PORTS[scheme]) if match else 0
    if match is None or not printable or not 0 < port < 2**16:
        raise SourceRefused(
            "the address is not a plain http or https URL; it may hold no user name, and other"
            " characters than ASCII must be percent-encoded",
            code="url_refused",
        )
    host, path = match["host"].lower(), "/..." if discreet else match["path"] or "/"
    key = host if port == _PORTS[scheme] else f"{host}:{port}"
    return Url(text, scheme, host, port, key, f"{scheme}://{key}{path}"[:_LONGEST_PLACE])
