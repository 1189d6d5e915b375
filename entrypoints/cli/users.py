"""What the commands about users do, and say."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime, timedelta

from application.accounts.api_tokens import NewToken
from application.accounts.users import ManageUsers
from domain.dataset import Role
from domain.sessions import ApiToken
from domain.users import OPERATOR, Scope, User, scope_text
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running

_AT_ONCE = 500


async def listed(settings: Settings) -> str:
    """Return a table of all accounts."""
    async with running(settings) as container:
        rows = [
            (user.name, user.role, "disabled" if user.disabled else "", _shown(user.created_at))
            async for user in _everyone(container.manage_users())
        ]
    return _table(("name", "role", "", "created"), rows) if rows else "There are no accounts."


async def add(settings: Settings, name: str, password: str, admin: bool) -> str:
    """Create an account; return the confirmation."""
    async with running(settings) as container:
        role = Role.ADMIN if admin else Role.USER
        user = await container.add_user()(name, password, role)
        return f"{user.name} can now log in, with the role {user.role}."


async def disable(settings: Settings, name: str) -> str:
    """Disable an account; return the confirmation."""
    async with running(settings) as container:
        user = await container.manage_users().change(name, OPERATOR, disabled=True)
        return f"{user.name} is disabled; sessions and API tokens end within 5 seconds."


async def enable(settings: Settings, name: str) -> str:
    """Enable an account; return the confirmation."""
    async with running(settings) as container:
        user = await container.manage_users().change(name, OPERATOR, disabled=False)
        return f"{user.name} may log in again."


async def change_role(settings: Settings, name: str, role: Role) -> str:
    """Give an account another role; return the confirmation."""
    async with running(settings) as container:
        user = await container.manage_users().change(name, OPERATOR, role=role)
        return f"{user.name} has the role {user.role}."


async def change_password(
    settings: Settings,
    name: str,
    password: str,
    keep: bool | None,
    ask: Callable[[str], bool] | None,
) -> str:
    """Set a new password; return the confirmation. `ask` is there at a terminal."""
    async with running(settings) as container:
        tokens = await container.manage_users().tokens_of(name)
        if keep is None and tokens and ask is not None:
            keep = not ask(f"Revoke the API tokens of {name} too ({_counted(tokens)})?")
        await container.change_password().set(name, password, bool(keep))
    said = f"{name} has the new password, and must log in again."
    if not tokens:
        return said
    return f"{said} API tokens {'kept' if keep else 'revoked'}: {_counted(tokens)}."


async def tokens_of(settings: Settings, name: str) -> str:
    """Return a table of a user's API tokens."""
    async with running(settings) as container:
        tokens = await container.manage_users().tokens_of(name)
    return token_table(tokens) if tokens else f"{name} has no API tokens."


async def revoke(settings: Settings, name: str, token_id: str | None) -> str:
    """Revoke one API token of a user, or all; return the confirmation."""
    async with running(settings) as container:
        count = await container.manage_users().revoke_tokens(name, OPERATOR, token_id)
        return f"{count} API tokens of {name} revoked." if count != 1 else "1 API token revoked."


async def end(settings: Settings, name: str | None) -> str:
    """End the sessions of a user, or of all; return the confirmation."""
    async with running(settings) as container:
        manage_users = container.manage_users()
        if name is None:
            count = await manage_users.end_all_sessions(OPERATOR)
        else:
            count = await manage_users.end_sessions(name, OPERATOR)
        return f"{count} sessions ended." if count != 1 else "1 session ended."


async def create(
    settings: Settings, user: str, name: str, ttl: timedelta | None, scopes: frozenset[Scope]
) -> str:
    """Create an API token for a user; return its text."""
    async with running(settings) as container:
        wanted = NewToken(name=name, ttl=ttl, scopes=scopes)
        _, text = await container.api_token_service().create_for(user, wanted)
        return str(text)


async def renew(settings: Settings, keep_tokens: bool) -> str:
    """Give a restored database a new identity; return what has ended, and what was kept."""
    async with running(settings) as container:
        manage_users = container.manage_users()
        users = [user async for user in _everyone(manage_users)]
        kept = [token for user in users for token in await manage_users.tokens_of(user.name)]
        database_id = container.random().identifier()
        renewed = await container.restoration().renew(database_id, keep_tokens)
    admins = ", ".join(u.name for u in users if u.role is Role.ADMIN and not u.disabled)
    revoked = f"API tokens revoked: {renewed.tokens}"
    tokens = f"API tokens kept: {len(kept)}" if keep_tokens else revoked
    lines = [
        f"The database has a new identifier. Sessions ended: {renewed.sessions}; {tokens}.",
        f"Accounts, roles and passwords are those of the backup. Admins: {admins or 'none'}.",
        "Disable again the accounts that were disabled since: catchment user list",
    ]
    return "\n".join([*lines, *([token_table(kept)] if keep_tokens and kept else [])])


def token_table(tokens: Iterable[ApiToken]) -> str:
    """Return API tokens as a table."""
    header = ("id", "user", "name", "scope", "created", "expires", "last used")
    rows = [
        (
            token.id,
            token.user,
            token.name,
            scope_text(token.scopes),
            _shown(token.created_at),
            _shown(token.expires_at),
            _shown(token.last_used_at),
        )
        for token in tokens
    ]
    return _table(header, rows)


async def _everyone(manage_users: ManageUsers) -> AsyncIterator[User]:
    after = ""
    while page := await manage_users.page(_AT_ONCE, after):
        for user in page:
            yield user
        after = page[-1].key


def _counted(tokens: Sequence[ApiToken]) -> str:
    """Return how many API tokens there are, and for what."""
    return f"{len(tokens)}, for {', '.join(token.name for token in tokens)}"


def _shown(time: datetime | None) -> str:
    return time.isoformat(sep=" ", timespec="minutes")[:16] if time else "never"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return lines with columns as wide as what is in them."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    )
