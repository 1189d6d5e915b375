"""Commands to create and change users."""

import sys

import click

from domain.dataset import Role
from entrypoints.cli.commands import read_settings, reporting_errors, run
from entrypoints.config.settings import Settings


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
@reporting_errors
def set_password(name: str) -> None:
    """Set a new password for NAME, and end the account's sessions."""
    click.echo(run(_set_password(read_settings(), name, _prompt_password())))


@click.command("create-token")
@click.argument("name")
@click.option(
    "--for",
    "token_name",
    default="command line",
    show_default=True,
    help="The purpose of the token.",
)
@reporting_errors
def create_token(name: str, token_name: str) -> None:
    """Create and print an API token for NAME. It is not shown again."""
    click.echo(run(_create_token(read_settings(), name, token_name)))


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


async def _set_password(given: Settings, name: str, password: str) -> str:
    """Set a new password; return the confirmation."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        await container.change_password().set(name, password)
        return f"{name} has the new password, and must log in again."


async def _create_token(given: Settings, user: str, token_name: str) -> str:
    """Create an API token for a user; return its text."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        _, text = await container.api_token_service().create_for(user, token_name)
        return str(text)
