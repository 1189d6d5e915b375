"""URLs of upstreams: parsed strictly, shown without secrets, followed only where allowed."""

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, quote, urlencode, urljoin

import msgspec

from domain.errors import SourceRefused

_PORTS = {"http": 80, "https": 443}
_LONGEST_LABEL = 120

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?P<path>/[^?#\\]*)?([?#][^\\]*)?)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
#: The host of a URL, where characters outside ASCII are encoded differently than in the path.
_HOST = re.compile(r"(?P<before>(?:[a-z][a-z0-9+.-]*:)?//)(?P<host>[^/?#\\:@]*)", re.IGNORECASE)
#: Letters that IDNA 2003, which Python has, and IDNA 2008 map to different hosts.
_AMBIGUOUS = re.compile("[ßẞςΣ\u200c\u200d]")
#: A parameter whose name says that its value is a credential.
_SECRET = re.compile(
    r"(?P<name>(?:(?<=&)|^)[^&=#]*(?:key|token|secret|passw|pwd|auth|sig|credential|session)[^&=#]*)"
    r"=[^&#]+",
    re.IGNORECASE,
)
#: The characters that are valid in a URL; others are percent-encoded.
_KEPT = "!#$%&'()*+,/:;=?@[]~\\"


class Url(msgspec.Struct, frozen=True):
    """A URL: `text` as it is requested, and its parts.

    `key` is the host as budgets name it: with its port, unless that is the default. `label` is the
    URL for messages: without user, query and fragment, and not too long.
    """

    text: str
    scheme: str
    host: str
    port: int
    key: str
    label: str

    def leads_to(self, reference: str, others: Collection[str] = ()) -> "Url | None":
        """Return the target of a redirect or a link; None unless it is on this host or `others`.

        From https it stays https, even if this host names http, as hosts behind a TLS proxy often
        do. `others` are written as `key` is, or as `*.example.com` for all hosts below one.
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

    def without_params(self, names: Collection[str]) -> "Url":
        """Return this address without the parameters of these names."""
        if not names:
            return self
        before, _, query = self.text.partition("#")[0].partition("?")
        kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in names]
        return parse(f"{before}?{urlencode(kept)}" if kept else before)

    @property
    def kept(self) -> str:
        """Return the text as it may be stored: without the values of parameters that are secret."""
        return without_secrets(self.text)

    def is_same_host(self, other: "Url") -> bool:
        """Return whether both have one host and port, so that they may share secrets.

        A change from http to https is allowed, the reverse is not.
        """
        return other._origin in (self._origin, self._upgraded)

    def _is_itself(self, there: "Url") -> bool:
        """Return whether an http URL means this host: by this port, or by the matching default."""
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


def without_secrets(text: str) -> str:
    """Return a URL without the values of those parameters whose names say that they are secret."""
    before, mark, query = text.partition("?")
    return before + mark + _SECRET.sub(r"\g<name>=***", query)


def parse(text: str, discreet: bool = False) -> Url:
    """Parse an http or https URL; raise SourceRefused for anything else.

    A host may be in any script; its ASCII name is used. The `label` of a `discreet` URL does not
    show the path, which may contain a token.
    """
    if named := _HOST.match(text):
        text = named["before"] + ascii_host(named["host"]) + text[named.end() :]
    match = _URL.fullmatch(text)
    printable = text.isascii() and text.isprintable() and " " not in text
    scheme = match["scheme"].lower() if match else ""
    port = int(match["port"] or _PORTS[scheme]) if match else 0
    if match is None or not printable or not 0 < port < 2**16:
        raise SourceRefused(
            "the address is not a plain http or https URL; it may have no user name, and characters"
            " outside ASCII must be percent-encoded",
            code="url_refused",
        )
    host, path = match["host"].lower(), "/..." if discreet else match["path"] or "/"
    key = host if port == _PORTS[scheme] else f"{host}:{port}"
    return Url(text, scheme, host, port, key, f"{scheme}://{key}{path}"[:_LONGEST_LABEL])


def ascii_host(host: str) -> str:
    """Return the ASCII name of a host, `xn--bcher-kva.example`; raise SourceRefused without one."""
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
    # A character that looks like a letter may be mapped to a slash.
    if not _NAME.fullmatch(name):
        raise SourceRefused("the host is not a valid name", code="url_refused")
    return name


def ascii_key(host: str) -> str:
    """Return a host, with or without its port, as its ASCII name in lower case."""
    name, colon, port = host.partition(":")
    return (ascii_host(name) + colon + port).lower()


def _encoded(reference: str) -> str:
    """Percent-encode the characters that a URL may not contain, such as blanks and non-ASCII."""
    host = _HOST.match(reference)
    before = "" if host is None else host["before"] + ascii_host(host["host"])
    rest = reference if host is None else reference[host.end() :]
    if any(character < " " or character == "\x7f" for character in rest):
        raise ValueError("a URL contains no control characters")
    return before + quote(rest, safe=_KEPT)
