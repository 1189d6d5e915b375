"""How a setting is declared, and how its text is read; a ValueError says what was expected."""

import ipaddress
import re
from collections.abc import Callable
from typing import Generic, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from domain.politeness import Rate
from entrypoints.config.units import rates, size

#: The part of a value that is never shown: all of it, all after its host, or its password.
Hidden = Literal["value", "path", "password"]
V = TypeVar("V")

SQLITE = "sqlite:///"
_SHORTEST_SECRET = 32
#: How often one client may ask something, by its purpose.
CLIENT_LIMITS = "fetch=600/1m,login=30/1m,tasks=300/1m"


class Setting(msgspec.Struct, Generic[V], frozen=True):
    """The reading rule, default and meaning of one setting; a call returns the default's value."""

    read: Callable[[str], V]
    default: str
    meaning: str
    hidden: Hidden | None

    def __call__(self) -> V:
        """Return the default, read."""
        return self.read(self.default)


def setting(
    read: Callable[[str], V], default: str, meaning: str, *, hidden: Hidden | None = None
) -> V:
    """Declare a field of `Settings`: how its text is read, its default as text, what it means.

    The meaning is Markdown, for the reference; `.env.example` has it without its links.
    """
    return msgspec.field(default_factory=Setting(read, default, meaning, hidden))


def choice(*choices: str) -> Callable[[str], str]:
    """Read one of these words."""

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
    """Read the URL of a RabbitMQ, or nothing."""
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


def flag(text: str) -> bool:
    """Read true or false."""
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def is_http(text: str) -> bool:
    """Whether this leads to a host, and not to a file."""
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
    return text


def file_or_url(text: str) -> str:
    """Read a path, the URL of a file, or one on the web, or nothing."""
    if is_http(text):
        return url(text)
    scheme, separator, place = text.partition("://")
    if separator and (scheme.lower() != "file" or not place.startswith("/") or place == "/"):
        raise ValueError("expected a path, file:///PATH, or a full http or https URL, or nothing")
    return text


def list_of(expected: str, is_item: Callable[[str], bool]) -> Callable[[str], tuple[str, ...]]:
    """Read items of one kind, with commas between them."""

    def read(text: str) -> tuple[str, ...]:
        items = tuple(item.strip() for item in text.split(",") if item.strip())
        if not all(map(is_item, items)):
            raise ValueError(f"expected {expected}, with commas between several")
        return items

    return read


def hosts(text: str) -> frozenset[str]:
    """Read hosts with their ports."""
    return frozenset(list_of("host:port, such as 10.0.0.5:8080", has_port)(text.lower()))


def has_port(text: str) -> bool:
    """Whether this is a host with its port."""
    return text.rpartition(":")[2].isdigit()


def is_origin(text: str) -> bool:
    """Whether this is an origin of web pages, or stands for all."""
    parts = urlsplit(text)
    bare = parts.scheme in ("http", "https") and bool(parts.netloc) and "@" not in parts.netloc
    return text == "*" or (bare and text == f"{parts.scheme}://{parts.netloc}")


def is_host(text: str) -> bool:
    """Whether this is a host, or stands for all below one."""
    return re.fullmatch(r"(?:\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", text) is not None


def is_network(text: str) -> bool:
    """Whether this is an address or a network."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def client_limits(text: str) -> dict[str, Rate]:
    """Read what one client may ask; what is not named is as by default."""
    usual, read = rates(CLIENT_LIMITS), rates(text)
    if not set(read) <= set(usual):
        raise ValueError(f"expected limits such as {CLIENT_LIMITS}")
    return {**usual, **read}


def or_nothing(read: Callable[[str], str]) -> Callable[[str], str]:
    """Read nothing as well, as it is."""
    return lambda text: read(text) if text else text


def or_none(word: str, read: Callable[[str], V]) -> Callable[[str], V | None]:
    """Read a word that stands for None as well."""
    return lambda text: None if text == word else read(text)


def bodies(text: str) -> tuple[int, int]:
    """Read the largest body of a request, and of an answer."""
    inward, _, upstream = text.partition(",")
    if not upstream.startswith("upstream="):
        raise ValueError("expected two sizes, such as 1MiB,upstream=20MiB")
    return size(inward), size(upstream.removeprefix("upstream="))


def _server(text: str, example: str) -> str:
    """Let the URL of a server pass that has a host."""
    if not _split(text, example).hostname:
        raise ValueError(f"expected a host, as in {example}")
    return text


def _split(text: str, example: str) -> SplitResult:
    """Split a URL; the error repeats no part of it, for there may be a password in it."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ValueError(
            f"expected a port from 0 to 65535 after a valid host, as in {example}"
        ) from error
    return parts
