"""Accounts: signing up, logging in and out, sessions and API tokens."""

from litestar import delete, get, post
from litestar.params import JSONBody

from adapters.http.accounts.responses import Account, Me, SessionList, TokenInfo, TokenList
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

_THIS_SESSION = LogoutRequest()
#: What a route with a body may answer besides.
_BODY = (408, 413, 415, 503, 507)


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
    """Create an account with the role user, unless only admins create accounts here."""
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
    "/auth/sessions",
    operation_id="list_sessions",
    summary="List your sessions",
    responses=problems(401, 403, 503),
    opt=may_call(ACCOUNT),
    tags=["auth"],
)
async def own_sessions(request: AnyRequest, sessions: Use[SessionUseCases]) -> SessionList:
    """Return the caller's open sessions, the latest login first."""
    caller = caller_of(request.scope)
    return SessionList.of(await sessions.own.list(caller), caller.session)


@delete(
    "/auth/sessions",
    status_code=204,
    operation_id="end_sessions",
    summary="End all your sessions",
    responses=problems(401, 403, 429, 503, 507),
    guards=[Limited(SESSIONS)],
    opt=may_call(ACCOUNT),
    tags=["auth"],
)
async def end_sessions(request: AnyRequest, sessions: Use[SessionUseCases]) -> None:
    """End all of the caller's sessions, this one too; API tokens stay valid."""
    await sessions.own.end(caller_of(request.scope))


@delete(
    "/auth/sessions/{session_id:str}",
    status_code=204,
    operation_id="end_session",
    summary="End one of your sessions",
    responses=problems(401, 403, 404, 429, 503, 507),
    guards=[Limited(SESSIONS)],
    opt=may_call(ACCOUNT),
    tags=["auth"],
)
async def end_session(
    request: AnyRequest, session_id: Identifier, sessions: Use[SessionUseCases]
) -> None:
    """End one of the caller's sessions."""
    await sessions.own.end(caller_of(request.scope), identifier(session_id))


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
    return TokenList.of(found)


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
    return TokenInfo.of(token, text)


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


ACCOUNT_ROUTES = [
    signup,
    password,
    me,
    login,
    refresh,
    logout,
    own_sessions,
    end_sessions,
    end_session,
    tokens,
    create,
    revoke,
]
