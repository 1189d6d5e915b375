"""Commands to create and change users, and to end what lets them in.

They are apart from `users`, so that `catchment --help` does not load the whole program.
"""

import sys
from datetime import timedelta
from functools import partial

import click

from domain.dataset import Role
from domain.units import positive_duration
from domain.users import ALL_SCOPES, scope_text, scopes_in
from entrypoints.cli.commands import read_settings, reporting_errors, run


@click.group()
def user() -> None:
    """List, create and change accounts.

    Passwords are prompted for, or read from standard input.
    """


@user.command("list")
@reporting_errors
def list_users() -> None:
    """List all accounts with role, state and time of creation."""
    from entrypoints.cli.users import listed

    click.echo(run(listed(read_settings())))


@user.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="Give the account the role admin instead of user.")
@reporting_errors
def add_user(name: str, admin: bool) -> None:
    """Create an account called NAME."""
    from entrypoints.cli.users import add

    click.echo(run(add(read_settings(), name, _prompt_password(), admin)))


@user.command("disable")
@click.argument("name")
@reporting_errors
def disable_user(name: str) -> None:
    """Disable the account NAME; its sessions and API tokens end."""
    from entrypoints.cli.users import disable

    click.echo(run(disable(read_settings(), name)))


@user.command("enable")
@click.argument("name")
@reporting_errors
def enable_user(name: str) -> None:
    """Enable the account NAME. What ended with it stays ended."""
    from entrypoints.cli.users import enable

    click.echo(run(enable(read_settings(), name)))


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([Role.USER.value, Role.ADMIN.value]))
@reporting_errors
def set_role(name: str, role: str) -> None:
    """Give the account NAME the role user or admin."""
    from entrypoints.cli.users import change_role

    click.echo(run(change_role(read_settings(), name, Role(role))))


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
    from entrypoints.cli.users import change_password

    ask = partial(click.confirm, default=True) if sys.stdin.isatty() else None
    click.echo(run(change_password(read_settings(), name, _prompt_password(), keep_tokens, ask)))


@user.command("tokens")
@click.argument("name")
@reporting_errors
def list_tokens(name: str) -> None:
    """List the API tokens of NAME."""
    from entrypoints.cli.users import tokens_of

    click.echo(run(tokens_of(read_settings(), name)))


@user.command("revoke")
@click.argument("name")
@click.argument("token", required=False)
@reporting_errors
def revoke_tokens(name: str, token: str | None) -> None:
    """Revoke the API token with the identifier TOKEN of NAME, or all of them."""
    from entrypoints.cli.users import revoke

    click.echo(run(revoke(read_settings(), name, token)))


@click.group()
def sessions() -> None:
    """End sessions, so that people have to log in again."""


@sessions.command("end")
@click.argument("name", required=False)
@click.option("--all", "everyone", is_flag=True, help="Those of all users.")
@reporting_errors
def end_sessions(name: str | None, everyone: bool) -> None:
    """End the sessions of NAME, or of all users. API tokens stay valid."""
    from entrypoints.cli.users import end

    if bool(name) is everyone:
        raise click.UsageError("expected either NAME or --all")
    click.echo(run(end(read_settings(), name)))


@click.command()
@click.option("--keep-tokens", is_flag=True, help="Keep the API tokens of the backup; list them.")
@reporting_errors
def restored(keep_tokens: bool) -> None:
    """Run once after a restore, before other processes start.

    The database gets a new identifier, every session ends, and API tokens are revoked, so that
    nothing that was ended since the backup comes back to life.
    """
    from entrypoints.cli.users import renew

    click.echo(run(renew(read_settings(), keep_tokens)))


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
    from entrypoints.cli.users import create

    click.echo(run(create(read_settings(), name, token_name, ttl, scopes_in(scope))))


def _prompt_password() -> str:
    """Return a password typed twice at a terminal, or the first line of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")
