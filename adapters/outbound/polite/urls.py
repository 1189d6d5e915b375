"""Addresses we ask: read strictly, named harmlessly, followed only where that is allowed."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urljoin

import msgspec

from domain.errors import SourceRefused

_PORTS = {"http": 80, "https": 443}
_LONGEST_PLACE = 120

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?P<path>/[^?#\\]*)?([?#][^\\]*)?)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
#: The host of an address, where other characters than ASCII mean something else than in its path.
_HOST = re.compile(r"(?P<before>(?:[a-z][a-z0-9+.-]*:)?//)(?P<host>[^/?#\\:@]*)", re.IGNORECASE)
#: What IDNA 2003, which Python has, and IDNA 2008 spell differently: two hosts of two owners.
_AMBIGUOUS = re.compile("[ßẞςΣ\u200c\u200d]")
#: All that may stand in an address; anything else is percent-encoded.
_KEPT = "!#$%&'()*+,/:;=?@[]~\\"


class Url(msgspec.Struct, frozen=True):
    """An address: `text` as it is asked, and the parts that matter to us.

    `key` is the host as budgets know it: with its port, unless that is the usual one. `place` is
    the address fit for a message: without user, query and fragment, and not too long.
    """

    text: str
    scheme: str
    host: str
    port: int
    key: str
    place: str

    def leads_to(self, reference: str, others: Collection[str] = ()) -> "Url | None":
        """Where a redirect or a link leads; None unless that is this very host, or one of `others`.

        Where we came by https we go on by https, also when this host says http: behind a proxy that
        ends the encryption it often does. `others` are written as `key` is, or as `*.example.com`
        for all hosts below one.
        """
        try:
            there = parse(urljoin(self.text, _encoded(reference.strip())))
        except (SourceRefused, ValueError):
            return None
        if self.scheme == "https" and there.scheme == "http" and self._is_itself(there):
            there = there._by_https(self.port)
        if there._origin in (self._origin, self._upgraded):
            return there
        is_downgrade = self.scheme == "https" and there.scheme != "https"
        return there if not is_downgrade and there._is_one_of(others) else None

    def with_params(self, params: Mapping[str, str]) -> "Url":
        """Return this address with parameters in place of those of the same names."""
        before, _, query = self.text.partition("#")[0].partition("?")
        kept = [p for p in parse_qsl(query, keep_blank_values=True) if p[0] not in params]
        return parse(f"{before}?{urlencode([*kept, *params.items()])}")

    def is_same_host(self, other: "Url") -> bool:
        """Whether both are of one host and port, so that a secret of one is no news to the other.

        Encryption may be taken up on the way, not given up.
        """
        return other._origin in (self._origin, self._upgraded)

    def _is_itself(self, there: "Url") -> bool:
        """Whether an http address means this host: by its port, or by the usual one for ours."""
        usual = _PORTS["http"] if self.port == _PORTS["https"] else self.port
        return there.host == self.host and there.port in (usual, self.port)

    def _by_https(self, port: int) -> "Url":
        at = "" if port == _PORTS["https"] else f":{port}"
        return parse(f"https://{self.host}{at}" + _URL.sub(r"\g<rest>", self.text))

    def _is_one_of(self, others: Collection[str]) -> bool:
        _, *parents = self.host.split(".")
        names = [self.host, *(f"*.{'.'.join(parents[n:])}" for n in range(len(parents)))]
        ports = {self.key.removeprefix(self.host), f":{self.port}"}
        return any(f"{name}{port}" in others for name in names for port in ports)

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

    A host may be in any script: it is asked by its ASCII name. The path of a `discreet` address,
    which may hold a token, is not in its `place`.
    """
    if named := _HOST.match(text):
        text = named["before"] + ascii_host(named["host"]) + text[named.end() :]
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


def ascii_host(host: str) -> str:
    """Return the ASCII name of a host, `xn--bcher-kva.example`; SourceRefused if it has none."""
    if host.isascii():
        return host
    if _AMBIGUOUS.search(host):
        raise SourceRefused(
            "the host has a letter that stands for different hosts in different programs; write"
            " its ASCII name, which begins with xn--",
            code="url_refused",
        )
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    # What looks like one letter may stand for a slash.
    if not _NAME.fullmatch(name):
        raise SourceRefused("the host is no name that can be asked", code="url_refused")
    return name


def ascii_key(host: str) -> str:
    """Return a host, with or without its port, by its ASCII name and in small letters."""
    name, colon, port = host.partition(":")
    return (ascii_host(name) + colon + port).lower()


def _encoded(reference: str) -> str:
    """Percent-encode what an address may not hold, blanks and other scripts than ASCII."""
    host = _HOST.match(reference)
    before = "" if host is None else host["before"] + ascii_host(host["host"])
    rest = reference if host is None else reference[host.end() :]
    if any(character < " " or character == "\x7f" for character in rest):
        raise ValueError("a control character is in no address")
    return before + quote(rest, safe=_KEPT)
