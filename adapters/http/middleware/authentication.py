"""The door: which hosts we answer for, where a request comes from, and who sends it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from adapters.http.middleware.cors import Cors
from adapters.http.protocol.access import set_caller
from adapters.http.protocol.client_address import Proxies
from adapters.http.protocol.problems import Refusal, Reply
from domain.errors import InvalidToken
from domain.users import Caller

_SCHEME = "bearer"


class AuthenticationMiddleware:
    """Lets requests in: to a host of ours, and with a token that counts or without any."""

    def __init__(
        self,
        authenticate: Callable[[str], Awaitable[Caller]],
        hosts: Iterable[str] = (),
        proxies: Proxies | None = None,
        cors: Cors | None = None,
    ) -> None:
        self._authenticate = authenticate
        self._hosts = tuple(host.lower() for host in hosts)
        self._proxies = proxies
        self._cors = cors

    async def let_in(self, scope: Any, seen: Mapping[bytes, Sequence[bytes]]) -> Reply | None:
        """Note who sends a request and from where; the answer, if it is a browser's question.

        A Refusal for another host; InvalidToken for a token that does not count, on any route.
        """
        if self._hosts and not self._is_ours(seen.get(b"host", (b"",))[0]):
            raise Refusal("unknown_host", "this service does not answer for that host")
        if self._proxies:
            self._proxies.look_through(scope)
        if self._cors and (preflight := self._cors.preflight(scope)) is not None:
            return preflight
        if credentials := seen.get(b"authorization", ()):
            set_caller(scope, await self._bearer(credentials))
        return None

    def _is_ours(self, host: bytes) -> bool:
        name = host.decode("latin-1").lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        return any(
            name == ours or (ours.startswith("*.") and name.endswith(ours[1:]))
            for ours in self._hosts
        )

    async def _bearer(self, credentials: Sequence[bytes]) -> Caller:
        scheme, _, token = credentials[0].decode("latin-1").partition(" ")
        if len(credentials) > 1 or scheme.lower() != _SCHEME or not token.strip():
            raise InvalidToken("expected one header: Authorization: Bearer TOKEN")
        return await self._authenticate(token.strip())
