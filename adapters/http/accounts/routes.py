"""Accounts: signing up, logging in and out, and the tokens of programs."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from adapters.http.accounts.schemas import (
    Credentials,
    LogoutRequest,
    NewAccount,
    PasswordChange,
    RefreshRequest,
    TokenRequest,
)
from adapters.http.protocol.access import OPEN, USER, address_of, caller_of, may_call
from adapters.http.protocol.bodies import read_form, read_json
from adapters.http.protocol.client_address import client_network
from adapters.http.protocol.rate_limits import LOGIN, Limiter
from adapters.http.protocol.routing import documented, guarded, identifier
from application.accounts.api_tokens import ApiTokenService
from application.accounts.sessions import Granted, SessionUseCases
from application.accounts.sign_up import ChangePassword, SignUp
from domain.dataset import Role
from domain.sessions import ApiToken

_PRIVATE = {"Cache-Control": "no-store"}


class Account(msgspec.Struct, frozen=True):
    """A new account."""

    username: str


class Me(msgspec.Struct, frozen=True):
    """Who is asking."""

    username: str
    role: Role


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One API token; its text is shown once, when it is made."""

    id: str
    name: str
    created_at: datetime
    token: str | msgspec.UnsetType = msgspec.UNSET


class TokenList(msgspec.Struct, frozen=True):
    """The caller's API tokens."""

    tokens: list[TokenInfo]


def account_routes(
    sign_up: SignUp,
    sessions: SessionUseCases,
    change_password: ChangePassword,
    limiter: Limiter,
    body_s: float,
) -> list[HTTPRouteHandler]:
    """The routes of people; a caller may take `body_s` seconds to send a body."""

    @post(
        "/auth/signup",
        status_code=201,
        summary="Make an account",
        responses=documented(Account, 401, 408, 409, 413, 415, 429, 503, 507, done=201),
        before_request=guarded(),
        opt=may_call(OPEN),
        tags=["auth"],
    )
    async def signup(request: Request[Any, Any, Any]) -> Response[Account]:
        """Make an account of the role user."""
        await limiter.spend(request.scope, LOGIN)
        given = await read_json(request, NewAccount, body_s)
        user = await sign_up(given.username, given.password)
        return Response(Account(user.name), headers=_PRIVATE)

    @post(
        "/auth/login",
        status_code=200,
        summary="Log in",
        responses=documented(Granted, 401, 408, 413, 415, 429, 503, 507),
        before_request=guarded(),
        opt=may_call(OPEN),
        tags=["auth"],
    )
    async def login(request: Request[Any, Any, Any]) -> Response[Granted]:
        """Open a session; the body is a form or JSON."""
        await limiter.spend(request.scope, LOGIN)
        given = await read_form(request, Credentials, body_s)
        place = client_network(address_of(request.scope))
        granted = await sessions.log_in(given.username, given.password, place)
        return Response(granted, headers=_PRIVATE)

    @post(
        "/auth/refresh",
        status_code=200,
        summary="Go on with a session",
        responses=documented(Granted, 401, 408, 413, 415, 429, 503, 507),
        before_request=guarded(),
        opt=may_call(OPEN),
        tags=["auth"],
    )
    async def refresh(request: Request[Any, Any, Any]) -> Response[Granted]:
        """Give a refresh token in for new tokens; each counts once."""
        given = await read_form(request, RefreshRequest, body_s)
        return Response(await sessions.refresh(given.refresh_token), headers=_PRIVATE)

    @post(
        "/auth/logout",
        status_code=204,
        summary="Log out",
        responses=documented(None, 401, 408, 413, 415, 503, 507, done=204),
        before_request=guarded(),
        opt=may_call(OPEN),
        tags=["auth"],
    )
    async def logout(request: Request[Any, Any, Any]) -> Response[None]:
        """End the session of a refresh token, or of the access token that is sent."""
        given = await read_json(request, LogoutRequest, body_s, or_nothing=LogoutRequest())
        await sessions.log_out(caller_of(request.scope), given.refresh_token)
        return Response(None, headers=_PRIVATE)

    @post(
        "/auth/password",
        status_code=204,
        summary="Change your password",
        responses=documented(None, 401, 403, 408, 413, 415, 429, 503, 507, done=204),
        before_request=guarded(),
        opt=may_call(USER),
        tags=["auth"],
    )
    async def password(request: Request[Any, Any, Any]) -> Response[None]:
        """Change the caller's password; every session of theirs ends, this one too."""
        await limiter.spend(request.scope, LOGIN)
        given = await read_json(request, PasswordChange, body_s)
        caller = caller_of(request.scope)
        place = client_network(address_of(request.scope))
        await change_password(caller, given.current_password, given.new_password, place)
        return Response(None, headers=_PRIVATE)

    @get(
        "/auth/me",
        summary="Who you are",
        responses=documented(Me, 401),
        before_request=guarded(),
        opt=may_call(USER),
        tags=["auth"],
    )
    async def me(request: Request[Any, Any, Any]) -> Response[Me]:
        """The caller's name and role."""
        caller = caller_of(request.scope)
        return Response(Me(str(caller.name), caller.role), headers=_PRIVATE)

    return [signup, login, refresh, logout, password, me]


def token_routes(keep: ApiTokenService, body_s: float) -> list[HTTPRouteHandler]:
    """The routes of the tokens of programs."""

    @get(
        "/auth/tokens",
        summary="Your API tokens",
        responses=documented(TokenList, 401, 403, 503),
        before_request=guarded(),
        opt=may_call(USER),
        tags=["auth"],
    )
    async def tokens(request: Request[Any, Any, Any]) -> Response[TokenList]:
        """The caller's API tokens, without their texts."""
        found = await keep.list(caller_of(request.scope))
        return Response(TokenList([_card(token) for token in found]), headers=_PRIVATE)

    @post(
        "/auth/tokens",
        status_code=201,
        summary="Make an API token",
        responses=documented(TokenInfo, 401, 403, 408, 413, 415, 503, 507, done=201),
        before_request=guarded(),
        opt=may_call(USER),
        tags=["auth"],
    )
    async def create(request: Request[Any, Any, Any]) -> Response[TokenInfo]:
        """Make an API token for a program; its text is shown this once."""
        given = await read_json(request, TokenRequest, body_s)
        token, text = await keep.create(caller_of(request.scope), given.name)
        return Response(_card(token, text), headers=_PRIVATE)

    @delete(
        "/auth/tokens/{token_id:str}",
        status_code=204,
        summary="Revoke an API token",
        responses=documented(None, 401, 403, 404, 503, 507, done=204),
        before_request=guarded(),
        opt=may_call(USER),
        tags=["auth"],
    )
    async def revoke(request: Request[Any, Any, Any], token_id: FromPath[str]) -> Response[None]:
        """Take one of the caller's API tokens away."""
        await keep.revoke(caller_of(request.scope), identifier(token_id))
        return Response(None, headers=_PRIVATE)

    return [tokens, create, revoke]


def _card(token: ApiToken, text: str | msgspec.UnsetType = msgspec.UNSET) -> TokenInfo:
    return TokenInfo(id=token.id, name=token.name, created_at=token.created_at, token=text)
