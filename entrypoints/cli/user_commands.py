"""Commands to create and change users."""

import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import click

from domain.dataset import Role
from domain.units import positive_duration
from domain.users import ALL_SCOPES, scope_text, scopes_in
from entrypoints.cli.commands import read_settings, reporting_errors, run
from entrypoints.config.settings import Settings

if TYPE_CHECKING:
    from application.accounts.api_tokens import NewToken


@click.group()
def user() -> None:
    """Create and change accounts. Passwords are prompted for, or read from standard input."""


@user.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="Give the account the role admin instead of user.")
@reporting_errors
def add_user(name: str, admin: bool) -> None:
    """Create an account called NAME."""
    click.echo(run(_add(read_settings(), name, _prompt_password(), admin)))


@user.command("disable")
@click.argument("name")
@reporting_errors
def disable_user(name: str) -> None:
    """Disable the account NAME, and end its sessions."""
    click.echo(run(_disable(read_settings(), name)))


@user.command("password")
@click.argument("name")
@click.option(
    "--keep-tokens/--revoke-tokens",
    default=None,
    help="What becomes of the API tokens. Without either, a terminal asks; otherwise they end.",
)
@reporting_errors
def set_password(name: str, keep_tokens: bool | None) -> None:
    """Set a new password for NAME; sessions and API tokens end."""
    ask = partial(click.confirm, default=True) if sys.stdin.isatty() else None
    click.echo(run(change_password(read_settings(), name, _prompt_password(), keep_tokens, ask)))


def _read_ttl(context: click.Context, option: click.Parameter, text: str) -> timedelta | None:
    """Return the duration that an option names, if it is there."""
    try:
        return positive_duration(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("create-token")
@click.argument("name")
@click.option(
    "--for",
    "token_name",
    default="command line",
    show_default=True,
    help="The purpose of the token.",
)
@click.option(
    "--ttl", callback=_read_ttl, help="How long it lasts, such as 90d. Without it, it has no end."
)
@click.option(
    "--scope",
    default=scope_text(ALL_SCOPES),
    show_default=True,
    help="What it may be used for, within what NAME may do.",
)
@reporting_errors
def create_token(name: str, token_name: str, ttl: timedelta | None, scope: str) -> None:
    """Create and print an API token for NAME. It is not shown again."""
    from application.accounts.api_tokens import NewToken

    wanted = NewToken(name=token_name, ttl=ttl, scopes=scopes_in(scope))
    click.echo(run(_create_token(read_settings(), name, wanted)))


def _prompt_password() -> str:
    """Return a password typed twice at a terminal, or the first line of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


async def _add(given: Settings, name: str, password: str, admin: bool) -> str:
    """Create an account; return the confirmation."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        role = Role.ADMIN if admin else Role.USER
        user = await container.add_user()(name, password, role)
        return f"{user.name} can now log in, with the role {user.role}."


async def _disable(given: Settings, name: str) -> str:
    """Disable an account; return the confirmation."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        await container.disable_user()(name)
        return f"{name} is disabled; running sessions end within 5 seconds."


async def change_password(
    given: Settings, name: str, password: str, keep: bool | None, ask: Callable[[str], bool] | None
) -> str:
    """Set a new password; return the confirmation. `ask` is there at a terminal."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        tokens = [token.name for token in await container.api_token_service().list_of(name)]
        if keep is None and tokens and ask is not None:
            keep = not ask(f"Revoke the API tokens of {name} too ({_counted(tokens)})?")
        await container.change_password().set(name, password, bool(keep))
    said = f"{name} has the new password, and must log in again."
    if not tokens:
        return said
    return f"{said} API tokens {'kept' if keep else 'revoked'}: {_counted(tokens)}."


def _counted(names: list[str]) -> str:
    """Return how many API tokens there are, and for what."""
    return f"{len(names)}, for {', '.join(names)}"


async def _create_token(given: Settings, user: str, wanted: "NewToken") -> str:
    """Create an API token for a user; return its text."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        _, text = await container.api_token_service().create_for(user, wanted)
        return str(text)
