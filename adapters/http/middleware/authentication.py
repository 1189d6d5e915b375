"""Authentication: which hosts we answer for, the client's address, and the caller."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from adapters.http.middleware.cors import Cors, refuse_other_sites
from adapters.http.protocol.access import set_caller
from adapters.http.protocol.client_address import Proxies
from adapters.http.protocol.hosts import Hosts
from adapters.http.protocol.problems import Refusal, Reply
from application.accounts.authentication import API_TOKEN_PREFIX
from domain.errors import InvalidToken, StoreError
from domain.users import Caller

_BEARER = "bearer"
#: For programs that only know Basic: the password is an API token, the username is ignored.
_BASIC = "basic"
#: Open to any Host, because probes use an IP address.
_HEALTH = "/health"


class AuthenticationMiddleware:
    """The checks of a request's host and credentials, before any routing."""

    def __init__(
        self,
        authenticate: Callable[[str], Awaitable[Caller]],
        hosts: Hosts | None,
        proxies: Proxies | None,
        cors: Cors | None,
        open_paths: Iterable[str],
    ) -> None:
        self._authenticate = authenticate
        self._hosts = hosts
        self._proxies = proxies
        self._cors = cors
        self._open_paths = tuple(open_paths)

    async def check(self, scope: Any, headers: Mapping[bytes, Sequence[bytes]]) -> Reply | None:
        """Store the caller and the address in the scope; return the reply to a CORS preflight.

        Raise Refusal for another host, and InvalidToken for an invalid token. On open paths an
        invalid token is ignored, so that logging in again does not need a valid one.
        """
        path = scope["path"].rstrip("/")
        if (
            self._hosts
            and not _is_below(path, (_HEALTH,))
            and not self._hosts.accepts(headers.get(b"host", (b"",))[0])
        ):
            raise Refusal(
                "unknown_host",
                "this service does not answer for that host; CATCHMENT_ALLOWED_HOSTS names those it"
                " does",
            )
        refuse_other_sites(scope, self._cors)
        if self._proxies:
            self._proxies.look_through(scope)
        if self._cors and (preflight := self._cors.preflight(scope)) is not None:
            return preflight
        if credentials := headers.get(b"authorization", ()):
            try:
                set_caller(scope, await self._authenticate(_token_in(credentials)))
            except InvalidToken:
                if not _is_below(path, self._open_paths):
                    raise
            except StoreError:
                if not _is_below(path, (_HEALTH,)):
                    raise
        return None


def _is_below(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in prefixes)


def _token_in(credentials: Sequence[bytes]) -> str:
    """Return the token of a request; raise InvalidToken for a malformed header, or several."""
    scheme, _, text = credentials[0].decode("latin-1").partition(" ")
    text = text.strip()
    if len(credentials) == 1 and text:
        if scheme.lower() == _BEARER:
            return text
        if scheme.lower() == _BASIC and (token := _password_in(text)).startswith(API_TOKEN_PREFIX):
            return token
    raise InvalidToken(
        "expected one header: Authorization: Bearer TOKEN, or Basic with an API token as password"
    )


def _password_in(text: str) -> str:
    try:
        pair = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]
