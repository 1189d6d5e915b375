"""Accounts: the use cases, also with concurrent changes."""

import asyncio
from collections.abc import Callable

import pytest

from adapters.memory.accounts import MemoryAccounts
from adapters.memory.in_memory import InMemory
from application.accounts.api_tokens import ApiTokenService, NewToken, RevokeTokens
from application.accounts.authentication import Authenticate, TokenUse
from application.accounts.passwords import ChangePassword, ConfirmPassword
from application.accounts.sessions import (
    EndSessions,
    Grant,
    Lifetimes,
    LogIn,
    LogOut,
    OwnSessions,
    Refresh,
)
from application.accounts.sign_up import AddUser, EnsureAdmin, SignUp
from application.accounts.users import ManageUsers
from domain.dataset import Role
from domain.errors import (
    Forbidden,
    InvalidToken,
    LoginRequired,
    SignupClosed,
    StoreUnavailable,
    TooManyRequests,
    UnknownUser,
    WrongCredentials,
)
from domain.events import LoginLocked, LoginRefused
from domain.users import ANONYMOUS, OPERATOR, Caller, SignupRules, User

PASSWORD = "correct horse"


class RacingAccounts(MemoryAccounts):
    """Accounts that are changed concurrently just before a replacement, so many times."""

    races = 0

    async def get(self, name: str) -> User | None:
        """Return the user as it was before the concurrent changes."""
        found = await super().get(name)
        await asyncio.sleep(0)
        return found

    async def replace(self, seen: User, changed: User) -> bool:
        """Replace the user, unless a concurrent change was faster."""
        if self.races:
            self.races -= 1
            await super().replace(seen, seen.with_password(f"race {self.races}"))
        return await super().replace(seen, changed)


class AccountUseCases(InMemory):
    """The use cases of accounts over one memory database."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts = RacingAccounts(self.database)
        grant = Grant(self.tokens, self.clock, Lifetimes())
        self.add_user = AddUser(self.accounts, self.hasher, self.clock, self.events)
        self.log_in = LogIn(
            self.accounts,
            self.sessions,
            self.login_attempts,
            self.hasher,
            grant,
            self.clock,
            self.random,
            self.events,
        )
        self.refresh = Refresh(self.accounts, self.sessions, self.tokens, grant)
        confirm = ConfirmPassword(self.accounts, self.login_attempts, self.hasher, self.events)
        self.change_password = ChangePassword(
            self.accounts, self.user_sessions, self.api_tokens, self.hasher, confirm, self.events
        )
        revoke = RevokeTokens(self.api_tokens, self.events)
        end_sessions = EndSessions(self.sessions, self.user_sessions, self.events)
        self.own_sessions = OwnSessions(self.user_sessions, end_sessions)
        self.manage = ManageUsers(
            self.accounts,
            self.add_user,
            self.user_sessions,
            self.api_tokens,
            end_sessions,
            revoke,
            self.events,
        )
        self.keep = ApiTokenService(
            self.accounts,
            self.user_sessions,
            self.api_tokens,
            confirm,
            revoke,
            self.clock,
            self.random,
            self.events,
        )
        self.token_use = TokenUse(self.api_tokens, self.clock)
        self.authenticate = Authenticate(
            self.accounts,
            self.sessions,
            self.api_tokens,
            self.tokens,
            self.changes,
            self.clock,
            self.token_use,
            max_cached=2,
        )


@pytest.fixture
async def people() -> AccountUseCases:
    """The use cases, with one ordinary user."""
    people = AccountUseCases()
    await people.add_user("Ann", PASSWORD)
    return people


async def test_with_sign_up_closed_only_admins_create_accounts(
    people: AccountUseCases,
) -> None:
    sign_up = SignUp(people.add_user, SignupRules(open=False))

    with pytest.raises(SignupClosed, match="only admins"):
        await sign_up("bob", PASSWORD)

    assert (await people.add_user("bob", PASSWORD)).name == "bob"


async def test_at_the_limit_of_accounts_no_more_sign_up(people: AccountUseCases) -> None:
    sign_up = SignUp(people.add_user, SignupRules(most=2))
    await sign_up("bob", PASSWORD)

    with pytest.raises(SignupClosed, match="there are 2 accounts"):
        await sign_up("carl", PASSWORD)

    assert (await people.add_user("carl", PASSWORD)).name == "carl"


async def test_the_first_admin_is_created_once_and_never_changed(people: AccountUseCases) -> None:
    ensure_admin = EnsureAdmin(people.accounts, people.add_user)

    made = await ensure_admin("root", PASSWORD)
    again = await ensure_admin("root", "another password")

    assert (made.role, made.version) == (Role.ADMIN, 0)
    assert again == made


async def test_of_two_processes_that_start_at_once_one_creates_the_first_admin(
    people: AccountUseCases,
) -> None:
    ensure_admin = EnsureAdmin(people.accounts, people.add_user)

    one, other = await asyncio.gather(
        ensure_admin("root", PASSWORD), ensure_admin("root", PASSWORD)
    )

    assert one == other
    assert one.role is Role.ADMIN


async def test_a_user_with_the_name_of_the_first_admin_does_not_become_admin(
    people: AccountUseCases,
) -> None:
    found = await EnsureAdmin(people.accounts, people.add_user)("ann", PASSWORD)

    assert found.role is Role.USER


async def test_a_concurrent_change_of_the_password_is_reported(people: AccountUseCases) -> None:
    people.accounts.races = 1

    with pytest.raises(StoreUnavailable, match="try again"):
        await people.change_password.set("ann", "another password")


async def test_the_operator_sets_a_password(people: AccountUseCases) -> None:
    granted = await people.log_in("ann", PASSWORD, "here")
    await people.change_password.set("ann", "another password")

    with pytest.raises(InvalidToken):
        await people.refresh(granted.refresh_token)
    with pytest.raises(WrongCredentials):
        await people.log_in("ann", PASSWORD, "here")
    assert await people.log_in("ann", "another password", "here")


async def test_a_user_is_disabled_despite_concurrent_changes(people: AccountUseCases) -> None:
    people.accounts.races = 3

    await people.manage.change("ann", OPERATOR, disabled=True)

    user = await people.accounts.get("ann")
    assert user is not None
    assert user.disabled


@pytest.mark.parametrize(
    "act",
    [
        lambda people: people.manage.change("bob", OPERATOR, disabled=True),
        lambda people: people.change_password.set("bob", "another password"),
        lambda people: people.keep.create_for("bob", NewToken(name="ci")),
    ],
)
async def test_commands_about_an_unknown_user_are_refused(
    people: AccountUseCases, act: Callable[..., object]
) -> None:
    with pytest.raises(UnknownUser, match="'bob'"):
        await act(people)  # type: ignore[misc]


async def test_a_program_gets_a_token_from_the_operator(people: AccountUseCases) -> None:
    _, text = await people.keep.create_for("ANN", NewToken(name="ci"))

    assert await people.authenticate(text) == Caller(Role.USER, "Ann")


async def test_the_cache_of_tokens_is_bounded(people: AccountUseCases) -> None:
    texts = [
        (await people.keep.create_for("ann", NewToken(name=name)))[1]
        for name in ("one", "two", "three")
    ]
    for text in texts:
        await people.authenticate(text)
    # As another process does, whose writes have not been noticed yet.
    people.database.users["ann"] = people.database.users["ann"].locked_out()

    assert await people.authenticate(texts[2]) == Caller(Role.USER, "Ann")
    for forgotten in texts[:2]:
        with pytest.raises(InvalidToken):
            await people.authenticate(forgotten)


async def test_an_anonymous_caller_changes_nothing(people: AccountUseCases) -> None:
    with pytest.raises(LoginRequired):
        await people.change_password(ANONYMOUS, PASSWORD, "another password", "here")
    with pytest.raises(LoginRequired):
        await people.keep.list(ANONYMOUS)
    with pytest.raises(LoginRequired):
        await LogOut(people.sessions)(ANONYMOUS)


async def test_a_user_removed_meanwhile_has_no_password_to_change(
    people: AccountUseCases,
) -> None:
    del people.database.users["ann"]

    with pytest.raises(WrongCredentials):
        caller = Caller(Role.USER, "Ann", "1")
        await people.change_password(caller, PASSWORD, "another password", "here")


async def test_the_session_of_a_removed_user_gives_no_tokens(people: AccountUseCases) -> None:
    granted = await people.log_in("ann", PASSWORD, "here")
    del people.database.users["ann"]

    with pytest.raises(InvalidToken):
        await people.refresh(granted.refresh_token)


async def test_a_hash_that_could_not_be_renewed_is_renewed_by_the_next_login(
    people: AccountUseCases,
) -> None:
    user = people.database.users["ann"]
    old = user.password.replace("new ", "old ")
    people.database.users["ann"] = User(name="Ann", password=old, created_at=user.created_at)
    people.accounts.races = 1

    assert await people.log_in("ann", PASSWORD, "here")


async def test_a_refused_login_is_published_without_the_typed_texts(
    people: AccountUseCases,
) -> None:
    for name in ("ann", PASSWORD):
        with pytest.raises(WrongCredentials):
            await people.log_in(name, "wrong password", "here")
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await people.log_in("ann", "wrong password", "there")
    with pytest.raises(TooManyRequests):
        await people.log_in("ann", PASSWORD, "there")

    assert people.events.published[1:] == [
        LoginRefused(account="Ann", network="here", code="wrong_credentials"),
        LoginRefused(account="", network="here", code="wrong_credentials"),
        *[LoginRefused(account="Ann", network="there", code="wrong_credentials")] * 5,
        LoginLocked(account="Ann", network="there", wait_s=1.0),
        LoginRefused(account="", network="there", code="too_many_requests"),
    ]


async def test_too_many_attempts_are_refused_before_the_password_is_checked(
    people: AccountUseCases,
) -> None:
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await people.log_in("ann", "wrong password", "here")
    checks = people.hasher.checks

    with pytest.raises(TooManyRequests):
        await people.log_in("ann", PASSWORD, "here")

    assert people.hasher.checks == checks


async def test_an_access_token_does_not_outlast_its_session(people: AccountUseCases) -> None:
    granted = await people.log_in("ann", PASSWORD, "here")
    people.clock.advance(30 * 86_400 - 5)

    renewed = await people.refresh(granted.refresh_token)

    assert renewed.expires_in == 5


async def test_a_session_opened_with_the_old_password_ends_with_the_change(
    people: AccountUseCases,
) -> None:
    user = people.database.users["ann"]
    granted = await people.log_in("ann", PASSWORD, "here")
    # The login above was in progress when the password was changed and the sessions ended.
    people.database.users["ann"] = user.with_password(await people.hasher.hash("another password"))

    with pytest.raises(InvalidToken):
        await people.refresh(granted.refresh_token)


async def test_a_program_does_not_change_the_password_of_its_user(people: AccountUseCases) -> None:
    _, text = await people.keep.create_for("ann", NewToken(name="ci"))
    program = await people.authenticate(text)

    with pytest.raises(Forbidden):
        await people.change_password(program, PASSWORD, "another password", "here")


async def test_attempts_to_change_a_password_count_as_login_attempts(
    people: AccountUseCases,
) -> None:
    ann = await people.authenticate((await people.log_in("ann", PASSWORD, "here")).access_token)
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await people.change_password(ann, "wrong password", "another password", "there")

    with pytest.raises(TooManyRequests):
        await people.change_password(ann, PASSWORD, "another password", "there")
    await people.change_password(ann, PASSWORD, "another password", "here")


@pytest.mark.parametrize("name", ["", "an\x00n", "a" * 1_000_000, "\u202e", "' OR 1=1 --"])
async def test_an_impossible_name_is_treated_like_a_wrong_one(
    people: AccountUseCases, name: str
) -> None:
    with pytest.raises(WrongCredentials):
        await people.log_in(name, PASSWORD, "here")

    assert people.hasher.checks == 1
