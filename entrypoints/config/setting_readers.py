"""How the text of each setting is read; a ValueError says what was expected."""

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from domain.politeness import Rate
from domain.users import checked_name, checked_password
from entrypoints.config.units import duration, rates, size

SQLITE = "sqlite:///"
_SHORTEST_SECRET = 32
#: How often one client may ask something, by its purpose.
CLIENT_LIMITS = "fetch=600/1m,login=30/1m,tasks=300/1m"


def choice(*choices: str) -> Callable[[str], str]:
    """Read one of these words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return read


def database(text: str) -> str:
    """Read where everything is kept."""
    if text.startswith(("postgresql://", "postgres://")):
        return server(text, "postgresql://user:password@host/database")
    path = text.removeprefix(SQLITE)
    if not text.startswith(SQLITE) or not path or "?" in path or path == ":memory:":
        raise ValueError(
            "expected sqlite:///FILE, such as sqlite:///var/catchment.db, or"
            " postgresql://user:password@host/database"
        )
    return text


def broker(text: str) -> str:
    """Read where the broker is, if there is one."""
    if not text:
        return text
    if not text.startswith(("amqp://", "amqps://")):
        raise ValueError("expected amqp://user:password@host/, or nothing for the embedded queue")
    return server(text, "amqp://user:password@host/")


def server(text: str, example: str) -> str:
    """Read the URL of a server."""
    parts = urlsplit(text)
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"expected a port from 0 to 65535 in {example}") from error
    if not parts.hostname:
        raise ValueError(f"expected a host, as in {example}")
    return text


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
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("expected a full http or https URL, or nothing to switch the source off")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected a URL without a name or password in it")
    _ = parts.port  # a ValueError for one that is none
    return text


def file_or_url(text: str) -> str:
    """Read a path, the URL of a file, or one on the web, or nothing."""
    if is_http(text):
        return url(text)
    scheme, separator, place = text.partition("://")
    if separator and (scheme.lower() != "file" or not place.startswith("/") or place == "/"):
        raise ValueError("expected a path, file:///PATH, or a full http or https URL, or nothing")
    return text


def alert_url(text: str) -> str:
    """Read an http or https URL that is never shown, or nothing."""
    try:
        return url(text)
    except ValueError as error:
        raise ValueError(
            "expected a full http or https URL without a name or password in it, or nothing"
        ) from error


def hosts(text: str) -> frozenset[str]:
    """Read hosts with their ports."""
    hosts = [item.strip().lower() for item in text.split(",") if item.strip()]
    if any(not host.rpartition(":")[2].isdigit() for host in hosts):
        raise ValueError("expected host:port, such as 10.0.0.5:8080, with commas between several")
    return frozenset(hosts)


def names_of(expected: str, is_name: Callable[[str], bool]) -> Callable[[str], tuple[str, ...]]:
    """Read names that are all of one kind."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(item.strip() for item in text.split(",") if item.strip())
        if not all(map(is_name, names)):
            raise ValueError(f"expected {expected}, with commas between several")
        return names

    return read


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


def password(text: str) -> str:
    """Read a password that somebody may have, or nothing."""
    return checked_password(text) if text else text


def username(text: str) -> str:
    """Read a name that somebody may have, or nothing."""
    return checked_name(text) if text else text


def bodies(text: str) -> tuple[int, int]:
    """Read the largest body of a request, and of an answer."""
    inward, _, upstream = text.partition(",")
    if not upstream.startswith("upstream="):
        raise ValueError("expected two sizes, such as 1MiB,upstream=20MiB")
    return size(inward), size(upstream.removeprefix("upstream="))


def longer(text: str) -> timedelta | None:
    """Read a duration, or nothing."""
    return duration(text) if text else None
