"""Commands about users: what they say, and ask before."""

from pathlib import Path

import pytest

from application.accounts.api_tokens import NewToken
from entrypoints.cli.users import change_password
from entrypoints.config.loading import load
from entrypoints.config.settings import Settings
from entrypoints.processes.lifecycle import running

PASSWORD = "correct horse"


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Those of a database with a user and a token."""
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


async def test_without_a_terminal_or_tokens_nothing_is_asked(settings: Settings) -> None:
    first = await change_password(settings, "ann", "battery staple", None, None)
    second = await change_password(settings, "ann", PASSWORD, None, lambda _: pytest.fail("asked"))

    assert first.endswith("must log in again. API tokens revoked: 1, for ci.")
    assert second == "ann has the new password, and must log in again."
