"""API tokens: their creation, their end, and their last use."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from adapters.memory.accounts import MemoryApiTokens
from application.accounts.api_tokens import NewToken
from application.accounts.authentication import TokenUse
from domain.errors import (
    InvalidInput,
    InvalidToken,
    PasswordRequired,
    StoreFull,
    UnknownUser,
    WrongCredentials,
)
from domain.events import LoginRefused
from domain.sessions import ApiToken
from domain.users import Caller
from tests.application.accounts.test_accounts import PASSWORD, AccountUseCases, people

__all__ = ["people"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CI = NewToken(name="ci")


async def logged_in(people: AccountUseCases) -> Caller:
    granted = await people.log_in("ann", PASSWORD, "home")
    return await people.authenticate(granted.access_token)


# ---------------------------------------------------------------- creation


async def test_shortly_after_a_login_no_password_is_required(
    people: AccountUseCases,
) -> None:
    ann = await logged_in(people)
    people.clock.advance(599)

    token, _ = await people.keep.create(ann, CI, None, "home")

    assert token.user == "ann"


async def test_later_the_current_password_is_required(people: AccountUseCases) -> None:
    ann = await logged_in(people)
    people.clock.advance(600)

    with pytest.raises(PasswordRequired, match="current_password"):
        await people.keep.create(ann, CI, None, "home")
    with pytest.raises(WrongCredentials):
        await people.keep.create(ann, CI, "a wrong one", "home")

    assert await people.keep.create(ann, CI, PASSWORD, "home")
    refused = LoginRefused(account="Ann", network="home", code="wrong_credentials")
    assert people.events.of(LoginRefused) == [refused]


async def test_a_session_that_has_ended_meanwhile_creates_no_token(people: AccountUseCases) -> None:
    ann = await logged_in(people)
    await people.user_sessions.end_all("ann")

    with pytest.raises(InvalidToken):
        await people.keep.create(ann, CI, None, "home")


async def test_a_session_of_the_old_password_creates_no_token(people: AccountUseCases) -> None:
    ann = await logged_in(people)
    # As another process does that has not ended the sessions yet.
    people.database.users["ann"] = people.database.users["ann"].with_password("another")

    with pytest.raises(InvalidToken):
        await people.keep.create(ann, CI, None, "home")


async def test_a_user_removed_meanwhile_creates_no_token(people: AccountUseCases) -> None:
    ann = await logged_in(people)
    del people.database.users["ann"]

    with pytest.raises(InvalidToken):
        await people.keep.create(ann, CI, None, "home")


# ---------------------------------------------------------------- its end


@pytest.mark.parametrize(
    ("wanted", "end"),
    [
        (CI, None),
        (NewToken(name="ci", ttl=timedelta(days=1)), NOW + timedelta(days=1)),
        (NewToken(name="ci", expires_at=NOW + timedelta(days=3650)), NOW + timedelta(days=3650)),
    ],
)
def test_a_token_expires_at_a_time_or_after_a_duration_or_never(
    wanted: NewToken, end: datetime | None
) -> None:
    assert wanted.end(NOW) == end


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        (NewToken(name="ci", ttl=timedelta(0)), "/ttl"),
        (NewToken(name="ci", ttl=timedelta(days=3650, seconds=1)), "/ttl"),
        (NewToken(name="ci", expires_at=NOW), "/expires_at"),
        (NewToken(name="ci", expires_at=NOW + timedelta(days=3651)), "/expires_at"),
        (NewToken(name="ci", expires_at=NOW + timedelta(days=1), ttl=timedelta(days=1)), "/ttl"),
    ],
)
def test_an_invalid_expiry_is_refused(wanted: NewToken, pointer: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        wanted.end(NOW)

    assert raised.value.pointer == pointer


async def test_a_token_expires_even_while_it_is_in_use(
    people: AccountUseCases,
) -> None:
    wanted = NewToken(name="ci", ttl=timedelta(seconds=62))
    _, text = await people.keep.create_for("ann", wanted)
    people.clock.advance(60)
    assert await people.authenticate(text)
    people.clock.advance(2)

    with pytest.raises(InvalidToken):
        await people.authenticate(text)


async def test_a_new_password_ends_the_tokens(
    people: AccountUseCases,
) -> None:
    _, text = await people.keep.create_for("ann", CI)

    await people.change_password.set("ann", "another password")

    assert await people.manage.tokens_of("ann") == []
    with pytest.raises(InvalidToken):
        await people.authenticate(text)


async def test_the_operator_may_keep_the_tokens(people: AccountUseCases) -> None:
    token, text = await people.keep.create_for("ann", CI)

    await people.change_password.set("ann", "another password", keep_tokens=True)

    assert await people.authenticate(text)
    await people.token_use.drain()
    [kept] = await people.manage.tokens_of("ANN")
    assert kept.id == token.id
    with pytest.raises(UnknownUser):
        await people.manage.tokens_of("bob")


async def test_a_token_created_during_a_change_of_the_password_is_invalid(
    people: AccountUseCases,
) -> None:
    # As another process does, between its read of the user and its write.
    late = people.database.users["ann"]
    await people.change_password.set("ann", "another password")
    people.database.users["ann"], now = late, people.database.users["ann"]
    _, text = await people.keep.create_for("ann", CI)
    people.database.users["ann"] = now

    with pytest.raises(InvalidToken):
        await people.authenticate(text)


# ---------------------------------------------------------------- its last use


class SlowTokens(MemoryApiTokens):
    """API tokens that count how often a use is recorded, and fail on demand."""

    noted = 0
    failure: Exception | None = None

    async def note_use(self, token_id: str, at: datetime) -> None:
        """Record the last use of a token."""
        self.noted += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        await super().note_use(token_id, at)


async def test_the_last_use_is_recorded_once_a_minute_at_most(
    people: AccountUseCases,
) -> None:
    token, _ = await people.keep.create_for("ann", CI)
    tokens = SlowTokens(people.database)
    use = TokenUse(tokens, people.clock)

    async def used() -> ApiToken:
        [found] = await tokens.of("ann")
        for _ in range(3):
            use(found)
        await use.drain()
        [noted] = await tokens.of("ann")
        return noted

    first = await used()
    people.clock.advance(59)
    again = await used()
    people.clock.advance(1)
    later = await used()

    assert first == msgspec.structs.replace(token, last_used_at=NOW)
    assert again == first
    assert later.last_used_at == NOW + timedelta(minutes=1)
    assert tokens.noted == 2


async def test_a_token_is_valid_though_its_use_cannot_be_recorded(people: AccountUseCases) -> None:
    token, _ = await people.keep.create_for("ann", CI)
    tokens = SlowTokens(people.database)
    tokens.failure = StoreFull("there is no room left")
    use = TokenUse(tokens, people.clock)

    use(token)
    await use.drain()
    tokens.failure = None
    use(token)
    await use.drain()

    assert [found.last_used_at for found in await tokens.of("ann")] == [NOW]


async def test_a_text_that_is_too_long_for_a_token_is_not_looked_up(
    people: AccountUseCases,
) -> None:
    for text in ("cat_" + "x" * 4093, "x" * 4097):
        with pytest.raises(InvalidToken):
            await people.authenticate(text)
