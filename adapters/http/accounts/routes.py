"""Accounts: signing up, logging in and out, and the tokens of programs."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from adapters.http.accounts.schemas import (
    Credentials,
    LogoutRequest,
    NewAccount,
    PasswordChange,
    RefreshRequest,
    TokenRequest,
)
from adapters.http.protocol.access import OPEN, USER, address_of, caller_of, may_call
from adapters.http.protocol.bodies import FormBody
from adapters.http.protocol.client_address import client_network
from adapters.http.protocol.rate_limits import LOGIN, Limiter
from adapters.http.protocol.routing import NO_STORE, Identifier, identifier, problems
from application.accounts.api_tokens import ApiTokenService
from application.accounts.sessions import Granted, SessionUseCases
from application.accounts.sign_up import ChangePassword, SignUp
from domain.dataset import Role
from domain.sessions import ApiToken

_THIS_SESSION = LogoutRequest()
#: What a route with a body may answer besides.
_BODY = (408, 413, 415, 503, 507)


class Account(msgspec.Struct, frozen=True):
    """A new account."""

    username: str


class Me(msgspec.Struct, frozen=True):
    """The caller."""

    username: str
    role: Role


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One API token; its text is shown once, when it is created."""

    id: str
    name: str
    created_at: datetime
    token: str | msgspec.UnsetType = msgspec.UNSET


class TokenList(msgspec.Struct, frozen=True):
    """The caller's API tokens."""

    tokens: list[TokenInfo]


def account_routes(
    sign_up: SignUp, change_password: ChangePassword, limiter: Limiter
) -> list[HTTPRouteHandler]:
    """Return the routes of accounts."""

    @post(
        "/auth/signup",
        summary="Create an account",
        responses=problems(401, 409, 429, *_BODY),
        cache_control=NO_STORE,
        guards=[limiter.guard(LOGIN)],
        opt=may_call(OPEN),
        tags=["auth"],
    )
    async def signup(data: JSONBody[NewAccount]) -> Account:
        """Create an account with the role user."""
        user = await sign_up(data.username, data.password)
        return Account(user.name)

    @post(
        "/auth/password",
        status_code=204,
        summary="Change your password",
        responses=problems(401, 403, 429, *_BODY),
        cache_control=NO_STORE,
        guards=[limiter.guard(LOGIN)],
        opt=may_call(USER),
        tags=["auth"],
    )
    async def password(request: Request[Any, Any, Any], data: JSONBody[PasswordChange]) -> None:
        """Change the caller's password; all of their sessions end, this one too."""
        caller, network = caller_of(request.scope), client_network(address_of(request.scope))
        await change_password(caller, data.current_password, data.new_password, network)

    @get(
        "/auth/me",
        summary="Get the caller",
        responses=problems(401),
        cache_control=NO_STORE,
        opt=may_call(USER),
        tags=["auth"],
    )
    async def me(request: Request[Any, Any, Any]) -> Me:
        """Return the caller's name and role."""
        caller = caller_of(request.scope)
        return Me(str(caller.name), caller.role)

    return [signup, password, me]


def session_routes(sessions: SessionUseCases, limiter: Limiter) -> list[HTTPRouteHandler]:
    """Return the routes of sessions."""

    @post(
        "/auth/login",
        status_code=200,
        summary="Log in",
        responses=problems(401, 429, *_BODY),
        cache_control=NO_STORE,
        guards=[limiter.guard(LOGIN)],
        opt=may_call(OPEN),
        tags=["auth"],
    )
    async def login(request: Request[Any, Any, Any], data: FormBody[Credentials]) -> Granted:
        """Open a session; the body is a form or JSON."""
        network = client_network(address_of(request.scope))
        return await sessions.log_in(data.username, data.password, network)

    @post(
        "/auth/refresh",
        status_code=200,
        summary="Refresh tokens",
        responses=problems(401, 429, *_BODY),
        cache_control=NO_STORE,
        opt=may_call(OPEN),
        tags=["auth"],
    )
    async def refresh(data: FormBody[RefreshRequest]) -> Granted:
        """Exchange a refresh token for new tokens; each can be used once."""
        return await sessions.refresh(data.refresh_token)

    @post(
        "/auth/logout",
        status_code=204,
        summary="Log out",
        responses=problems(401, *_BODY),
        cache_control=NO_STORE,
        opt=may_call(OPEN),
        tags=["auth"],
    )
    async def logout(
        request: Request[Any, Any, Any], data: JSONBody[LogoutRequest] = _THIS_SESSION
    ) -> None:
        """End the session of a refresh token, or of the access token that is sent."""
        await sessions.log_out(caller_of(request.scope), data.refresh_token)

    return [login, refresh, logout]


def token_routes(api_tokens: ApiTokenService) -> list[HTTPRouteHandler]:
    """Return the routes of the tokens of programs."""

    @get(
        "/auth/tokens",
        summary="List your API tokens",
        responses=problems(401, 403, 503),
        cache_control=NO_STORE,
        opt=may_call(USER),
        tags=["auth"],
    )
    async def tokens(request: Request[Any, Any, Any]) -> TokenList:
        """Return the caller's API tokens, without their texts."""
        found = await api_tokens.list(caller_of(request.scope))
        return TokenList([_token_info(token) for token in found])

    @post(
        "/auth/tokens",
        summary="Create an API token",
        responses=problems(401, 403, *_BODY),
        cache_control=NO_STORE,
        opt=may_call(USER),
        tags=["auth"],
    )
    async def create(request: Request[Any, Any, Any], data: JSONBody[TokenRequest]) -> TokenInfo:
        """Create an API token for a program; its text is shown this once."""
        token, text = await api_tokens.create(caller_of(request.scope), data.name)
        return _token_info(token, text)

    @delete(
        "/auth/tokens/{token_id:str}",
        status_code=204,
        summary="Revoke an API token",
        responses=problems(401, 403, 404, 503, 507),
        cache_control=NO_STORE,
        opt=may_call(USER),
        tags=["auth"],
    )
    async def revoke(request: Request[Any, Any, Any], token_id: Identifier) -> None:
        """Revoke one of the caller's API tokens."""
        await api_tokens.revoke(caller_of(request.scope), identifier(token_id))

    return [tokens, create, revoke]


def _token_info(token: ApiToken, text: str | msgspec.UnsetType = msgspec.UNSET) -> TokenInfo:
    return TokenInfo(id=token.id, name=token.name, created_at=token.created_at, token=text)
