"""Signing: what shows an upstream who asks, from references to secrets."""

import asyncio
import base64
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from adapters.outbound.polite.client import PoliteClient
from adapters.outbound.polite.messages import Signature
from adapters.outbound.polite.urls import Url, parse
from application.ports.system import Secrets
from domain.errors import SourceRefused, UnexpectedContent
from domain.reports import Traffic
from domain.secrets import Auth, BasicAuth, ClientCredentials, HeaderAuth, QueryAuth

#: How long a token holds whose life is not said.
_USUAL_LIFE_S = 300.0


class Signer:
    """Signs the requests of one source; secrets are read at each of them."""

    def __init__(self, auth: Sequence[Auth], secrets: Secrets, client: PoliteClient) -> None:
        self._auth = [each for each in auth if not isinstance(each, ClientCredentials)]
        self._secrets = secrets
        credentials = [each for each in auth if isinstance(each, ClientCredentials)]
        self._tokens = [_Tokens(each, secrets, client) for each in credentials]
        self._client = client
        #: The parameters that hold secrets, and are taken out of every link that echoes them.
        self.params = frozenset(each.name for each in auth if isinstance(each, QueryAuth))

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to sign with."""
        return not self._auth and not self._tokens

    @property
    def is_renewable(self) -> bool:
        """Return whether a refusal may only mean that a token has expired."""
        return bool(self._tokens)

    async def prepare(self, url: Url, deadline: datetime, traffic: Traffic) -> None:
        """Have what signing needs; raise SourceRefused where a secret may not be sent."""
        if self.is_empty:
            return
        if not self._client.may_see_secrets(url):
            raise SourceRefused(
                f"{url.label} is not encrypted, so no secret is sent there; use https, or allow"
                " the host as a private one",
                code="auth_refused",
            )
        for each in self._tokens:
            await each.prepare(deadline, traffic)

    def forget(self) -> None:
        """Forget the tokens, so that the next request has new ones."""
        for each in self._tokens:
            each.forget()

    def __call__(self) -> Signature:
        """Return what the next request is signed with; raise SourceRefused if there is none."""
        headers, params = {}, {}
        for each in self._auth:
            match each:
                case HeaderAuth(name, value, prefix):
                    headers[name] = prefix + self._secrets.read(value)
                case QueryAuth(name, value):
                    params[name] = self._secrets.read(value)
                case BasicAuth():
                    headers["Authorization"] = self._basic(each)
        for tokens in self._tokens:
            headers["Authorization"] = f"Bearer {tokens.token}"
        return Signature(headers, params)

    def _basic(self, auth: BasicAuth) -> str:
        password = "" if auth.password is None else self._secrets.read(auth.password)
        return "Basic " + base64.b64encode(f"{auth.user}:{password}".encode()).decode()


class _Answer(msgspec.Struct):
    """What a token endpoint answers (RFC 6749, section 5.1)."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the type, and no token
    expires_in: float | None = None


class _Tokens:
    """The token of client credentials: kept in memory, and renewed before it expires."""

    def __init__(self, auth: ClientCredentials, secrets: Secrets, client: PoliteClient) -> None:
        self._asks = auth
        self._secrets = secrets
        self._client = client
        self._url = parse(auth.url)
        self._renewing = asyncio.Lock()
        self._renew_at: datetime | None = None
        self.token = ""

    async def prepare(self, deadline: datetime, traffic: Traffic) -> None:
        """Request a token unless there is one; one request at a time."""
        async with self._renewing:
            now = self._client.clock.now()
            if self._renew_at is not None and now < self._renew_at:
                return
            if not self._client.may_see_secrets(self._url):
                raise SourceRefused(
                    f"{self._url.label} is not encrypted, so no secret is sent there",
                    code="auth_refused",
                )
            form = {
                "grant_type": "client_credentials",
                "client_id": self._asks.client_id,
                "client_secret": self._secrets.read(self._asks.client_secret),
                **({"scope": self._asks.scope} if self._asks.scope else {}),
            }
            answer = await self._client.ask_token(self._url, form, deadline, traffic)
            self._keep(answer, now)

    def _keep(self, body: bytes, now: datetime) -> None:
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # What it is may be a secret, so that it is not shown.
            raise UnexpectedContent(f"{self._url.label} answered no token") from None
        if answer.token_type.lower() != "bearer":
            raise UnexpectedContent(f"{self._url.label} answered another token than a bearer's")
        self._secrets.note(answer.access_token)
        self.token = answer.access_token
        life_s = _USUAL_LIFE_S if answer.expires_in is None else answer.expires_in
        # A tenth of its life early, because clocks differ and requests take time.
        self._renew_at = now + timedelta(seconds=min(max(life_s, 0.0) * 0.9, 86400.0))

    def forget(self) -> None:
        """Forget the token."""
        self._renew_at = None
