"""The door: which hosts we answer for, where a request comes from, and who sends it."""

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
#: For programs that send a name and a password alone: the password is an API token, the name any.
_BASIC = "basic"
#: Probes ask by an address, whatever hosts there are.
_HEALTH = "/health"


class AuthenticationMiddleware:
    """Lets requests in: to a host of ours, and with a token that counts or without any."""

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

    async def let_in(self, scope: Any, seen: Mapping[bytes, Sequence[bytes]]) -> Reply | None:
        """Note who sends a request and from where; the answer, if it is a browser's question.

        A Refusal for another host; InvalidToken for a token that does not count. Where everything
        is open a token that does not count is none: logging in again must not need it.
        """
        path = scope["path"].rstrip("/")
        if (
            self._hosts
            and not _is_below(path, (_HEALTH,))
            and not self._hosts.accepts(seen.get(b"host", (b"",))[0])
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
        if credentials := seen.get(b"authorization", ()):
            try:
                set_caller(scope, await self._authenticate(_token_in(credentials)))
            except InvalidToken:
                if not _is_below(path, self._open_paths):
                    raise
            except StoreError:
                if not _is_below(path, (_HEALTH,)):
                    raise
        return None


def _is_below(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _token_in(credentials: Sequence[bytes]) -> str:
    """Return the token of a request; InvalidToken for what is no such header, or two of them."""
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
