"""Declarations and parsers of settings; a ValueError says what was expected."""

import ipaddress
import re
from collections.abc import Callable
from typing import Generic, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from adapters.http.protocol.links import is_prefix
from adapters.outbound.files import file_of
from adapters.outbound.polite.urls import ascii_key, parse
from domain.fields import parse_boolean
from domain.politeness import Rate
from domain.units import size
from entrypoints.config.units import rates

#: The part of a value that is hidden: all of it, everything after the host, or the password.
Hidden = Literal["value", "path", "password"]
V = TypeVar("V")

SQLITE = "sqlite:///"
_SHORTEST_SECRET = 32
#: The default rate limits of one client, by purpose.
CLIENT_LIMITS = "fetch=600/1m,login=30/1m,signup=200/1d,sessions=300/1m,tasks=300/1m"


class Setting(msgspec.Struct, Generic[V], frozen=True):
    """The parser, default and meaning of one setting; a call returns the default's value."""

    read: Callable[[str], V]
    default: str
    meaning: str
    hidden: Hidden | None

    def __call__(self) -> V:
        """Return the parsed default."""
        return self.read(self.default)


def setting(
    read: Callable[[str], V], default: str, meaning: str, *, hidden: Hidden | None = None
) -> V:
    """Declare a field of `Settings`: its parser, its default as text, its meaning.

    The meaning is Markdown, for the reference; `.env.example` has it without links.
    """
    return msgspec.field(default_factory=Setting(read, default, meaning, hidden))


def choice(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts only these words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return read


def database(text: str) -> str:
    """Read the URL of a SQLite file or a PostgreSQL database."""
    if text.startswith(("postgresql://", "postgres://")):
        return _server(text, "postgresql://user:password@host/database")
    path = text.removeprefix(SQLITE)
    if not text.startswith(SQLITE) or not path or "?" in path or path == ":memory:":
        raise ValueError(
            "expected sqlite:///FILE, such as sqlite:///var/catchment.db, or"
            " postgresql://user:password@host/database"
        )
    return text


def broker(text: str) -> str:
    """Read the URL of a RabbitMQ server, or nothing."""
    if not text:
        return text
    if not text.startswith(("amqp://", "amqps://")):
        raise ValueError("expected amqp://user:password@host/, or nothing for the embedded queue")
    return _server(text, "amqp://user:password@host/")


def port(text: str) -> int:
    """Read a port."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ValueError("expected a port from 0 to 65535")
    return int(text)


def secret(text: str) -> bytes:
    """Read a secret that is long enough, or nothing."""
    if text and len(text.encode()) < _SHORTEST_SECRET:
        raise ValueError(f"expected at least {_SHORTEST_SECRET} bytes, or nothing")
    return text.encode()


def token(text: str) -> str:
    """Read a token that fits into a header, or nothing."""
    if not re.fullmatch(r"[!-~]*", text):
        raise ValueError("expected visible ASCII characters without spaces, or nothing")
    return text


def whole(least: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` on."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise ValueError(f"expected a whole number, {least} or more")
        return int(text)

    return read


def flag(text: str) -> bool:
    """Read true or false."""
    return parse_boolean(text)


def is_http(text: str) -> bool:
    """Return whether this is the URL of a web server, not of a file."""
    return text.lower().startswith(("http://", "https://"))


def url(text: str) -> str:
    """Read an http or https URL, or nothing."""
    parts = _split(text, "https://host/path")
    of_web = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if text and not of_web:
        raise ValueError(
            "expected a full http or https URL without a name or password in it, or nothing to"
            " switch it off"
        )
    if text:
        parse(text)  # as its source will do
    return text


def file_or_url(text: str) -> str:
    """Read a path, a file URL, an http or https URL, or nothing."""
    if is_http(text):
        return url(text)
    scheme, separator, rest = text.partition("://")
    if separator and (scheme.lower() != "file" or not rest.startswith("/") or rest == "/"):
        raise ValueError("expected a path, file:///PATH, or a full http or https URL, or nothing")
    file_of(text)  # as its source will do
    return text


def list_of(expected: str, is_item: Callable[[str], bool]) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of items of one kind, separated by commas."""

    def read(text: str) -> tuple[str, ...]:
        items = tuple(item.strip() for item in text.split(",") if item.strip())
        if not all(map(is_item, items)):
            raise ValueError(f"expected {expected}, separated by commas")
        return items

    return read


def hosts(text: str) -> frozenset[str]:
    """Read hosts with their ports."""
    named = list_of("host:port, such as 10.0.0.5:8080", has_port)(text)
    return frozenset(map(ascii_key, named))


def follow_hosts(text: str) -> frozenset[str]:
    """Read hosts that a redirect may lead to, with or without a port."""
    expected = "hosts such as files.example.com, *.example.com or files.example.com:8443"
    named = list_of(expected, _is_followed)(text)
    return frozenset(map(_host_key, named))


def has_port(text: str) -> bool:
    """Return whether this is a host with its port."""
    return text.rpartition(":")[2].isdigit()


def is_origin(text: str) -> bool:
    """Return whether this is a web origin, or `*`."""
    parts = urlsplit(text)
    bare = parts.scheme in ("http", "https") and bool(parts.netloc) and "@" not in parts.netloc
    return text == "*" or (bare and text == f"{parts.scheme}://{parts.netloc}")


def is_host(text: str) -> bool:
    """Return whether this is a host, or a wildcard such as `*.example.com`."""
    return re.fullmatch(r"(?:\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", text) is not None


def _is_followed(text: str) -> bool:
    """Return whether this is a host or a wildcard, with or without a port."""
    named = re.fullmatch(r"(.+?)(?::([0-9]{1,5}))?", _host_key(text))
    return named is not None and is_host(named[1]) and 0 < int(named[2] or 1) < 2**16


def _host_key(text: str) -> str:
    """Return a host or a wildcard as budgets write it."""
    star, dot, host = text.rpartition("*.")
    return star + dot + ascii_key(host)


def root_path(text: str) -> str:
    """Read the path prefix of this service at the proxy, or nothing."""
    prefix = text.rstrip("/")
    if not is_prefix(prefix):
        raise ValueError(
            "expected a path such as /catchment, of letters, digits and . _ ~ @ : + = $ ! - in"
            " segments that do not begin with a dot, or nothing"
        )
    return prefix


def is_network(text: str) -> bool:
    """Return whether this is an address or a network."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def client_limits(text: str) -> dict[str, Rate]:
    """Read the rate limits of one client; limits that are not named keep their defaults."""
    default, read = rates(CLIENT_LIMITS), rates(text)
    if not set(read) <= set(default):
        raise ValueError(f"expected limits such as {CLIENT_LIMITS}")
    return {**default, **read}


def or_nothing(read: Callable[[str], str]) -> Callable[[str], str]:
    """Return a parser that also accepts nothing."""
    return lambda text: read(text) if text else text


def or_none(word: str, read: Callable[[str], V]) -> Callable[[str], V | None]:
    """Return a parser that also accepts a word for None."""
    return lambda text: None if text == word else read(text)


def bodies(text: str) -> tuple[int, int]:
    """Read the largest body of a request, and of an upstream response."""
    inward, _, upstream = text.partition(",")
    if not upstream.startswith("upstream="):
        raise ValueError("expected two sizes, such as 1MiB,upstream=20MiB")
    return size(inward), size(upstream.removeprefix("upstream="))


def _server(text: str, example: str) -> str:
    """Return the URL of a server; raise unless it has a host."""
    if not _split(text, example).hostname:
        raise ValueError(f"expected a host, as in {example}")
    return text


def _split(text: str, example: str) -> SplitResult:
    """Split a URL; the error repeats no part of it, because it may contain a password."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ValueError(
            f"expected a port from 0 to 65535 after a valid host, as in {example}"
        ) from error
    return parts
