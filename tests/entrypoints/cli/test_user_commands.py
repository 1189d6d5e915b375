"""Commands about users: their output, and their prompts."""

import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pytest

from application.accounts.api_tokens import NewToken
from domain.dataset import Role
from domain.errors import InvalidToken
from domain.users import OPERATOR
from entrypoints.cli import users
from entrypoints.cli.users import change_password
from entrypoints.config.loading import load
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running

PASSWORD = "correct horse"


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Return settings of a database with a user and a token."""
    settings = load({"DATABASE_URL": f"sqlite:///{tmp_path}/c.db"})
    async with running(settings) as container:
        await container.add_user()("ann", PASSWORD)
        await container.api_token_service().create_for("ann", NewToken(name="ci"))
    return settings


@pytest.mark.parametrize(
    ("keep", "revoke", "told", "left"),
    [
        (None, True, "API tokens revoked: 1, for ci.", 0),
        (None, False, "API tokens kept: 1, for ci.", 1),
        (True, None, "API tokens kept: 1, for ci.", 1),
        (False, None, "API tokens revoked: 1, for ci.", 0),
    ],
)
async def test_a_terminal_asks_what_becomes_of_the_tokens_unless_an_option_says_so(
    settings: Settings, keep: bool | None, revoke: bool | None, told: str, left: int
) -> None:
    asked = []

    def ask(question: str) -> bool:
        asked.append(question)
        return bool(revoke)

    said = await change_password(settings, "ann", "battery staple", keep, ask)

    assert said == f"ann has the new password, and must log in again. {told}"
    expected = ["Revoke the API tokens of ann too (1, for ci)?"]
    assert asked == ([] if revoke is None else expected)
    async with running(settings) as container:
        assert len(await container.manage_users().tokens_of("ann")) == left


@pytest.mark.parametrize("keep", [False, True])
async def test_after_a_restore_nothing_that_was_revoked_comes_back(
    settings: Settings, tmp_path: Path, keep: bool
) -> None:
    async with running(settings) as container:
        log_in = container.session_use_cases().log_in
        granted = await log_in("ann", PASSWORD, "here")
    with (
        closing(sqlite3.connect(tmp_path / "c.db")) as kept,
        closing(sqlite3.connect(tmp_path / "backup.db")) as backup,
    ):
        kept.backup(backup)
    async with running(settings) as container:
        await container.manage_users().end_all_sessions(OPERATOR)
        await container.manage_users().revoke_tokens("ann", OPERATOR)
    for name in ("c.db-wal", "c.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    copyfile(tmp_path / "backup.db", tmp_path / "c.db")

    said = await users.renew(settings, keep)

    assert "Sessions ended: 1;" in said
    assert f"API tokens {'kept' if keep else 'revoked'}: 1." in said
    assert "Admins: none." in said
    async with running(settings) as container:
        with pytest.raises(InvalidToken):
            await container.session_use_cases().refresh(granted.refresh_token)
        with pytest.raises(InvalidToken):
            await container.authenticate()(granted.access_token)
        assert len(await container.manage_users().tokens_of("ann")) == int(keep)
        assert await container.session_use_cases().log_in("ann", PASSWORD, "here")


async def test_commands_say_what_they_did(settings: Settings) -> None:
    said = [
        await users.listed(settings),
        await users.change_role(settings, "ann", Role.ADMIN),
        await users.tokens_of(settings, "ann"),
        await users.revoke(settings, "ann", None),
        await users.tokens_of(settings, "ann"),
        await users.end(settings, "ann"),
        await users.end(settings, None),
        await users.disable(settings, "ann"),
        await users.enable(settings, "ann"),
    ]

    assert "ann   user" in said[0]
    assert "read fetch write admin" in said[2]
    assert [*said[1:2], *said[3:]] == [
        "ann has the role admin.",
        "1 API token revoked.",
        "ann has no API tokens.",
        "0 sessions ended.",
        "0 sessions ended.",
        "ann is disabled; sessions and API tokens end within 5 seconds.",
        "ann may log in again.",
    ]


async def test_without_a_terminal_or_tokens_nothing_is_asked(settings: Settings) -> None:
    first = await change_password(settings, "ann", "battery staple", None, None)
    second = await change_password(settings, "ann", PASSWORD, None, lambda _: pytest.fail("asked"))

    assert first.endswith("must log in again. API tokens revoked: 1, for ci.")
    assert second == "ann has the new password, and must log in again."
