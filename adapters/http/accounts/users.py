"""Users: the routes by which admins see and change them."""

from typing import Annotated

from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody, PathParameter

from adapters.http.accounts.responses import SessionList, TokenList, UserInfo, UserPage
from adapters.http.accounts.schemas import NewUser, UserChange
from adapters.http.protocol.access import ADMIN, caller_of, may_call
from adapters.http.protocol.asgi import request_id_of
from adapters.http.protocol.bodies import PatchBody
from adapters.http.protocol.cursors import CursorSigner
from adapters.http.protocol.links import link_to
from adapters.http.protocol.rate_limits import SESSIONS, Limited
from adapters.http.protocol.routing import (
    Answer,
    AnyRequest,
    CursorText,
    Identifier,
    Limit,
    Use,
    identifier,
    paging_of,
    problems,
)
from application.accounts.users import ManageUsers
from domain.dataset import Role
from domain.errors import UnknownUser
from domain.paging import DEFAULT_LIMIT, Cursor
from domain.users import NAME_PATTERN, is_name

#: The list's name in cursors; no dataset has this name.
_USERS = "/users"
_BODY = (408, 413, 415, 503, 507)
_Username = Annotated[str, PathParameter(schema_extra={"pattern": f"^{NAME_PATTERN}$"})]


@get(
    "/users",
    operation_id="list_users",
    summary="List users",
    responses={200: Answer(UserPage, headers=("Link",)), **problems(401, 403, 503)},
    opt=may_call(ADMIN),
    tags=["users"],
)
async def users(
    request: AnyRequest,
    manage_users: Use[ManageUsers],
    signer: Use[CursorSigner],
    limit: Limit = DEFAULT_LIMIT,
    after: CursorText = None,
) -> Response[UserPage]:
    """Return all users, in the order of their names."""
    key = "" if after is None else signer.position(_USERS, after, "")[0]
    found = await manage_users.page(limit + 1, key)
    shown = found[:limit]
    last = Cursor((shown[-1].key,), "") if len(found) > limit else None
    paging, headers = paging_of(request, signer, _USERS, limit, last)
    page = UserPage(
        data=list(map(UserInfo.of, shown)),
        count=len(shown),
        page=paging,
        request_id=request_id_of(request.scope),
    )
    return Response(page, headers=headers)


@post(
    "/users",
    operation_id="create_user",
    summary="Create a user",
    responses={
        201: Answer(UserInfo, headers=("Location",)),
        **problems(401, 403, 409, 429, *_BODY),
    },
    guards=[Limited(SESSIONS)],
    opt=may_call(ADMIN),
    tags=["users"],
)
async def create(
    request: AnyRequest, data: JSONBody[NewUser], manage_users: Use[ManageUsers]
) -> Response[UserInfo]:
    """Create an account with a role, also where signing up is closed."""
    made = await manage_users.add(data.username, data.password, Role(data.role), _admin(request))
    return Response(UserInfo.of(made), headers={"Location": link_to(f"/users/{made.name}")})


@get(
    "/users/{username:str}",
    operation_id="get_user",
    summary="Get a user",
    responses=problems(401, 403, 404, 503),
    opt=may_call(ADMIN),
    tags=["users"],
)
async def read(username: _Username, manage_users: Use[ManageUsers]) -> UserInfo:
    """Return one user."""
    return UserInfo.of(await manage_users.get(_checked(username)))


@patch(
    "/users/{username:str}",
    operation_id="change_user",
    summary="Change a user",
    responses=problems(401, 403, 404, 429, *_BODY),
    guards=[Limited(SESSIONS)],
    opt=may_call(ADMIN),
    tags=["users"],
)
async def change(
    request: AnyRequest,
    username: _Username,
    data: PatchBody[UserChange],
    manage_users: Use[ManageUsers],
) -> UserInfo:
    """Change a user's role, disable or enable a user.

    All sessions and API tokens of a user who is disabled end. No admin can disable or demote
    themselves.
    """
    role = None if data.role is None else Role(data.role)
    name, by = _checked(username), _admin(request)
    return UserInfo.of(await manage_users.change(name, by, role, data.disabled))


@get(
    "/users/{username:str}/sessions",
    operation_id="list_user_sessions",
    summary="List the sessions of a user",
    responses=problems(401, 403, 404, 503),
    opt=may_call(ADMIN),
    tags=["users"],
)
async def sessions(
    request: AnyRequest, username: _Username, manage_users: Use[ManageUsers]
) -> SessionList:
    """Return the open sessions of a user, the latest login first."""
    found = await manage_users.sessions_of(_checked(username))
    return SessionList.of(found, caller_of(request.scope).session)


@delete(
    "/users/{username:str}/sessions",
    status_code=204,
    operation_id="end_user_sessions",
    summary="End all sessions of a user",
    responses=problems(401, 403, 404, 429, 503, 507),
    guards=[Limited(SESSIONS)],
    opt=may_call(ADMIN),
    tags=["users"],
)
async def end_sessions(
    request: AnyRequest, username: _Username, manage_users: Use[ManageUsers]
) -> None:
    """End all sessions of a user, who must log in again."""
    await manage_users.end_sessions(_checked(username), _admin(request))


@delete(
    "/users/{username:str}/sessions/{session_id:str}",
    status_code=204,
    operation_id="end_user_session",
    summary="End one session of a user",
    responses=problems(401, 403, 404, 429, 503, 507),
    guards=[Limited(SESSIONS)],
    opt=may_call(ADMIN),
    tags=["users"],
)
async def end_session(
    request: AnyRequest, username: _Username, session_id: Identifier, manage_users: Use[ManageUsers]
) -> None:
    """End one session of a user."""
    session_id = identifier(session_id)
    await manage_users.end_sessions(_checked(username), _admin(request), session_id)


@get(
    "/users/{username:str}/tokens",
    operation_id="list_user_tokens",
    summary="List the API tokens of a user",
    responses=problems(401, 403, 404, 503),
    opt=may_call(ADMIN),
    tags=["users"],
)
async def tokens(username: _Username, manage_users: Use[ManageUsers]) -> TokenList:
    """Return the API tokens of a user, without their texts."""
    return TokenList.of(await manage_users.tokens_of(_checked(username)))


@delete(
    "/users/{username:str}/tokens",
    status_code=204,
    operation_id="revoke_user_tokens",
    summary="Revoke all API tokens of a user",
    responses=problems(401, 403, 404, 429, 503, 507),
    guards=[Limited(SESSIONS)],
    opt=may_call(ADMIN),
    tags=["users"],
)
async def revoke_tokens(
    request: AnyRequest, username: _Username, manage_users: Use[ManageUsers]
) -> None:
    """Revoke all API tokens of a user."""
    await manage_users.revoke_tokens(_checked(username), _admin(request))


@delete(
    "/users/{username:str}/tokens/{token_id:str}",
    status_code=204,
    operation_id="revoke_user_token",
    summary="Revoke one API token of a user",
    responses=problems(401, 403, 404, 429, 503, 507),
    guards=[Limited(SESSIONS)],
    opt=may_call(ADMIN),
    tags=["users"],
)
async def revoke_token(
    request: AnyRequest, username: _Username, token_id: Identifier, manage_users: Use[ManageUsers]
) -> None:
    """Revoke one API token of a user."""
    await manage_users.revoke_tokens(_checked(username), _admin(request), identifier(token_id))


USER_ROUTES = [
    users,
    create,
    read,
    change,
    sessions,
    end_sessions,
    end_session,
    tokens,
    revoke_tokens,
    revoke_token,
]


def _admin(request: AnyRequest) -> str:
    """Return the name of the caller, who is an admin."""
    return str(caller_of(request.scope).name)


def _checked(username: str) -> str:
    """Return a username from a path; raise UnknownUser for what cannot be one."""
    if not is_name(username):
        raise UnknownUser("there is no user of that name")
    return username
