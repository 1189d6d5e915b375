"""The commands by which the operator makes and changes users."""

import sys

import click

from domain.dataset import Role
from entrypoints.cli.commands import plainly, read_settings, run
from entrypoints.config.settings import Settings


@click.group()
def user() -> None:
    """Make and change accounts; a password is asked for, or read from standard input."""


@user.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="With the role admin instead of user.")
@plainly
def add_user(name: str, admin: bool) -> None:
    """Make an account of that NAME."""
    click.echo(run(_add(read_settings(), name, _asked_password(), admin)))


@user.command("disable")
@click.argument("name")
@plainly
def disable_user(name: str) -> None:
    """Lock the user NAME out, and end all they are logged in to."""
    click.echo(run(_disable(read_settings(), name)))


@user.command("password")
@click.argument("name")
@plainly
def set_password(name: str) -> None:
    """Give the user NAME another password, and end all they are logged in to."""
    click.echo(run(_set_password(read_settings(), name, _asked_password())))


@click.command("create-token")
@click.argument("name")
@click.option("--for", "token_name", default="command line", show_default=True, help="Its purpose.")
@plainly
def create_token(name: str, token_name: str) -> None:
    """Make an API token for the user NAME and print it; it is never shown again."""
    click.echo(run(_create_token(read_settings(), name, token_name)))


def _asked_password() -> str:
    """A password typed twice at a terminal, or the first line of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


async def _add(given: Settings, name: str, password: str, admin: bool) -> str:
    """Make an account; says so."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        role = Role.ADMIN if admin else Role.USER
        user = await container.sign_up()(name, password, role)
        return f"{user.name} can log in now, with the role {user.role}."


async def _disable(given: Settings, name: str) -> str:
    """Lock a user out; says so."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        await container.disable_user()(name)
        return f"{name} is locked out; whatever they were logged in to ends within 5 seconds."


async def _set_password(given: Settings, name: str, password: str) -> str:
    """Give a user another password; says so."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        await container.change_password().set(name, password)
        return f"{name} has the new password, and must log in again."


async def _create_token(given: Settings, user: str, token_name: str) -> str:
    """Make an API token for a user; gives its text."""
    from entrypoints.processes.lifecycle import running

    async with running(given) as container:
        _, text = await container.api_token_service().create_for(user, token_name)
        return str(text)
