"""Accounts: signing up, logging in and out, and the tokens of programs."""

from datetime import datetime

import msgspec
from litestar import delete, get, post
from litestar.params import JSONBody

from adapters.http.accounts.schemas import (
    Credentials,
    LogoutRequest,
    NewAccount,
    PasswordChange,
    RefreshRequest,
    TokenRequest,
)
from adapters.http.protocol.access import (
    ACCOUNT,
    LOGGING_OUT,
    OPEN,
    address_of,
    caller_of,
    may_call,
)
from adapters.http.protocol.bodies import FormBody
from adapters.http.protocol.client_address import client_network
from adapters.http.protocol.rate_limits import LOGIN, SESSIONS, SIGNUP, Limited
from adapters.http.protocol.routing import (
    AnyRequest,
    Identifier,
    Use,
    identifier,
    problems,
)
from application.accounts.api_tokens import ApiTokenService
from application.accounts.passwords import ChangePassword
from application.accounts.sessions import Granted, SessionUseCases
from application.accounts.sign_up import SignUp
from domain.dataset import Role
from domain.sessions import ApiToken
from domain.users import scope_text

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
    """One API token; its text is shown once, when it is created.

    `last_used_at` is exact to a minute.
    """

    id: str
    name: str
    scope: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    token: str | msgspec.UnsetType = msgspec.UNSET


class TokenList(msgspec.Struct, frozen=True):
    """The caller's API tokens."""

    tokens: list[TokenInfo]


@post(
    "/auth/signup",
    operation_id="sign_up",
    summary="Create an account",
    responses=problems(401, 403, 409, 429, *_BODY),
    guards=[Limited(LOGIN), Limited(SIGNUP)],
    opt=may_call(OPEN),
    tags=["auth"],
)
async def signup(data: JSONBody[NewAccount], sign_up: Use[SignUp]) -> Account:
    """Create an account with the role user, unless only admins make accounts here."""
    user = await sign_up(data.username, data.password)
    return Account(user.name)


@post(
    "/auth/password",
    status_code=204,
    operation_id="change_password",
    summary="Change your password",
    responses=problems(401, 403, 429, *_BODY),
    guards=[Limited(LOGIN)],
    opt=may_call(ACCOUNT),
    tags=["auth"],
)
async def password(
    request: AnyRequest, data: JSONBody[PasswordChange], change_password: Use[ChangePassword]
) -> None:
    """Change the caller's password; all sessions, this one too, and all API tokens end."""
    caller, network = caller_of(request.scope), client_network(address_of(request.scope))
    await change_password(caller, data.current_password, data.new_password, network)


@get(
    "/auth/me",
    operation_id="get_caller",
    summary="Get the caller",
    responses=problems(401),
    opt=may_call(ACCOUNT),
    tags=["auth"],
)
async def me(request: AnyRequest) -> Me:
    """Return the caller's name and role."""
    caller = caller_of(request.scope)
    return Me(str(caller.name), caller.role)


@post(
    "/auth/login",
    status_code=200,
    operation_id="log_in",
    summary="Log in",
    responses=problems(401, 429, *_BODY),
    guards=[Limited(LOGIN)],
    opt=may_call(OPEN),
    tags=["auth"],
)
async def login(
    request: AnyRequest, data: FormBody[Credentials], sessions: Use[SessionUseCases]
) -> Granted:
    """Open a session; the body is JSON or a form."""
    network = client_network(address_of(request.scope))
    return await sessions.log_in(data.username, data.password, network)


@post(
    "/auth/refresh",
    status_code=200,
    operation_id="refresh",
    summary="Refresh tokens",
    responses=problems(401, 429, *_BODY),
    guards=[Limited(SESSIONS)],
    opt=may_call(OPEN),
    tags=["auth"],
)
async def refresh(data: FormBody[RefreshRequest], sessions: Use[SessionUseCases]) -> Granted:
    """Exchange a refresh token for new tokens; each can be used once.

    The body is JSON or a form.
    """
    return await sessions.refresh(data.refresh_token)


@post(
    "/auth/logout",
    status_code=204,
    operation_id="log_out",
    summary="Log out",
    responses=problems(401, *_BODY),
    guards=[Limited(SESSIONS)],
    opt=may_call(LOGGING_OUT),
    tags=["auth"],
)
async def logout(
    request: AnyRequest,
    sessions: Use[SessionUseCases],
    data: JSONBody[LogoutRequest] = _THIS_SESSION,
) -> None:
    """End the session of a refresh token, or of the access token that is sent."""
    await sessions.log_out(caller_of(request.scope), data.refresh_token)


@get(
    "/auth/tokens",
    operation_id="list_tokens",
    summary="List your API tokens",
    responses=problems(401, 403, 503),
    opt=may_call(ACCOUNT),
    tags=["auth"],
)
async def tokens(request: AnyRequest, api_tokens: Use[ApiTokenService]) -> TokenList:
    """Return the caller's API tokens, without their texts."""
    found = await api_tokens.list(caller_of(request.scope))
    return TokenList([_token_info(token) for token in found])


@post(
    "/auth/tokens",
    operation_id="create_token",
    summary="Create an API token",
    responses=problems(401, 403, *_BODY),
    guards=[Limited(SESSIONS)],
    opt=may_call(ACCOUNT),
    tags=["auth"],
)
async def create(
    request: AnyRequest, data: JSONBody[TokenRequest], api_tokens: Use[ApiTokenService]
) -> TokenInfo:
    """Create an API token for a program; its text is shown this once.

    It needs `current_password`, unless the login was in the last ten minutes.
    """
    caller, network = caller_of(request.scope), client_network(address_of(request.scope))
    token, text = await api_tokens.create(caller, data.wanted, data.current_password, network)
    return _token_info(token, text)


@delete(
    "/auth/tokens/{token_id:str}",
    status_code=204,
    operation_id="revoke_token",
    summary="Revoke an API token",
    responses=problems(401, 403, 404, 503, 507),
    guards=[Limited(SESSIONS)],
    opt=may_call(ACCOUNT),
    tags=["auth"],
)
async def revoke(
    request: AnyRequest, token_id: Identifier, api_tokens: Use[ApiTokenService]
) -> None:
    """Revoke one of the caller's API tokens."""
    await api_tokens.revoke(caller_of(request.scope), identifier(token_id))


ACCOUNT_ROUTES = [signup, password, me, login, refresh, logout, tokens, create, revoke]


def _token_info(token: ApiToken, text: str | msgspec.UnsetType = msgspec.UNSET) -> TokenInfo:
    return TokenInfo(
        id=token.id,
        name=token.name,
        scope=scope_text(token.scopes),
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        token=text,
    )
