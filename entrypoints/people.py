"""What the operator does to users from the command line."""

import sys

import click

from domain.dataset import Role
from entrypoints.service import running
from entrypoints.settings import Settings


def asked_password() -> str:
    """A password typed twice at a terminal, or the first line of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


async def add(settings: Settings, name: str, password: str, admin: bool) -> str:
    """Make an account; says so."""
    async with running(settings) as container:
        role = Role.ADMIN if admin else Role.USER
        user = await container.sign_up()(name, password, role)
        return f"{user.name} can log in now, with the role {user.role}."


async def disable(settings: Settings, name: str) -> str:
    """Lock a user out; says so."""
    async with running(settings) as container:
        await container.disable_user()(name)
        return f"{name} is locked out; whatever they were logged in to ends within 5 seconds."


async def set_password(settings: Settings, name: str, password: str) -> str:
    """Give a user another password; says so."""
    async with running(settings) as container:
        await container.change_password().set(name, password)
        return f"{name} has the new password, and must log in again."


async def create_token(settings: Settings, user: str, token_name: str) -> str:
    """Make an API token for a user; gives its text."""
    async with running(settings) as container:
        _, text = await container.keep_api_tokens().create_for(user, token_name)
        return str(text)
