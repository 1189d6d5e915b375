"""Accounts, sessions and tokens: whichever call fails, no locked-out user keeps access."""

import contextlib

import pytest

from application.accounts.api_tokens import ApiTokenService, NewToken, RevokeTokens
from application.accounts.authentication import Authenticate, TokenUse
from application.accounts.passwords import ChangePassword, ConfirmPassword
from application.accounts.sessions import (
    EndSessions,
    Grant,
    Granted,
    Lifetimes,
    LogIn,
    LogOut,
    OwnSessions,
    Refresh,
)
from application.accounts.sign_up import AddUser, EnsureAdmin, SignUp
from application.accounts.users import ManageUsers
from domain.dataset import Role
from domain.errors import InvalidToken, NameTaken, UnknownSession, UnknownToken, WrongCredentials
from domain.users import OPERATOR, Caller, SignupRules
from tests.application.sweeping import Case, sweep

PASSWORD, ANOTHER = "correct horse", "battery staple"


class AccountsCase(Case):
    """The use cases of accounts, and a user who is logged in twice: at home, and elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        clock, random = self.clock, self.random
        accounts, sessions = self.counted(self.accounts), self.counted(self.sessions)
        attempts, hasher = self.counted(self.login_attempts), self.counted(self.hasher)
        api_tokens = self.counted(self.api_tokens)
        grant = Grant(self.tokens, clock, Lifetimes())
        self.add_user = AddUser(accounts, hasher, clock, self.events)
        self.sign_up = SignUp(self.add_user, SignupRules())
        self.ensure_admin = EnsureAdmin(accounts, self.add_user)
        self.log_in = LogIn(accounts, sessions, attempts, hasher, grant, clock, random, self.events)
        self.refresh = Refresh(accounts, sessions, self.tokens, grant)
        self.log_out = LogOut(sessions)
        confirm = ConfirmPassword(accounts, attempts, hasher, self.events)
        self.change_password = ChangePassword(
            accounts, sessions, api_tokens, hasher, confirm, self.events
        )
        revoke = RevokeTokens(api_tokens, self.events)
        end_sessions = EndSessions(sessions, sessions, self.events)
        self.own_sessions = OwnSessions(sessions, end_sessions)
        self.manage = ManageUsers(
            accounts, self.add_user, sessions, api_tokens, end_sessions, revoke, self.events
        )
        self.keep = ApiTokenService(
            accounts, sessions, api_tokens, confirm, revoke, clock, random, self.events
        )
        self.authenticate = Authenticate(
            accounts,
            sessions,
            api_tokens,
            self.tokens,
            self.changes,
            clock,
            TokenUse(api_tokens, clock),
        )

    async def begin(self) -> None:
        """Log in twice, and create an API token."""
        await self.sign_up("ann", PASSWORD)
        self.home = await self.log_in("ann", PASSWORD, "home")
        self.elsewhere = await self.log_in("ann", PASSWORD, "elsewhere")
        self.ann = await self.authenticate(self.home.access_token)
        self.program, self.program_token = await self.keep.create(
            self.ann, NewToken(name="a program"), None, "home"
        )

    async def may_refresh(self, granted: Granted) -> bool:
        """Return whether a session can still be refreshed."""
        try:
            await self.refresh(granted.refresh_token)
        except InvalidToken:
            return False
        return True

    async def knows(self, password: str) -> bool:
        """Return whether this is the password."""
        try:
            await self.log_in("ann", password, "home")
        except WrongCredentials:
            return False
        return True

    async def accepts(self, token: str) -> bool:
        """Return whether a token is valid."""
        try:
            await self.authenticate(token)
        except InvalidToken:
            return False
        return True


class SigningUp(AccountsCase):
    async def act(self) -> None:
        await self.sign_up("bob", PASSWORD)

    async def act_again(self) -> None:
        with contextlib.suppress(NameTaken):  # it was done, but not confirmed
            await self.act()

    async def is_done(self) -> None:
        assert await self.log_in("bob", PASSWORD, "home")
        assert len(self.database.users) == 2


class CreatingTheFirstAdmin(AccountsCase):
    async def act(self) -> None:
        await self.ensure_admin("root", PASSWORD)

    async def is_done(self) -> None:
        assert self.database.users["root"].role is Role.ADMIN
        assert await self.log_in("root", PASSWORD, "home")


class LoggingIn(AccountsCase):
    async def begin(self) -> None:
        await super().begin()
        known = self.database.users["ann"]
        digest = known.password.removeprefix("new ")
        # A weaker hash, which the login renews.
        self.database.users["ann"] = known.with_password(f"old {digest}")
        self.granted: Granted | None = None

    async def act(self) -> None:
        self.granted = await self.log_in("ann", PASSWORD, "home")

    async def is_done(self) -> None:
        assert self.granted is not None
        assert await self.accepts(self.granted.access_token)
        assert await self.may_refresh(self.granted)
        # An interrupted attempt does not count as a wrong one for ever.
        assert self.database.attempts["ann", "home"].failures <= 1


class Refreshing(AccountsCase):
    async def act(self) -> None:
        self.granted = await self.refresh(self.home.refresh_token)

    async def is_done(self) -> None:
        assert self.granted.refresh_token == self.tokens.successor(self.home.refresh_token)
        assert await self.accepts(self.granted.access_token)
        assert await self.may_refresh(self.granted)
        assert await self.may_refresh(self.elsewhere)


class LoggingOut(AccountsCase):
    async def act(self) -> None:
        await self.log_out(self.ann, self.home.refresh_token)

    async def is_done(self) -> None:
        assert not await self.may_refresh(self.home)
        assert not await self.accepts(self.home.access_token)
        assert await self.may_refresh(self.elsewhere)


class ChangingThePassword(AccountsCase):
    async def act(self) -> None:
        await self.change_password(self.ann, PASSWORD, ANOTHER, "home")

    async def holds(self) -> None:
        # Either nothing has happened, or the old password is useless.
        if await self.knows(ANOTHER):
            await self.is_done()

    async def act_again(self) -> None:
        with contextlib.suppress(WrongCredentials):  # it has been changed already
            await self.act()

    async def is_done(self) -> None:
        assert not await self.knows(PASSWORD)
        assert await self.knows(ANOTHER)
        for granted in (self.home, self.elsewhere):
            assert not await self.may_refresh(granted)
            assert not await self.accepts(granted.access_token)


class SettingAPassword(ChangingThePassword):
    async def act(self) -> None:
        await self.change_password.set("ann", ANOTHER)


class LockingOut(AccountsCase):
    async def act(self) -> None:
        await self.manage.change("ann", OPERATOR, disabled=True)

    async def holds(self) -> None:
        if self.database.users["ann"].disabled:
            await self.is_done()

    async def is_done(self) -> None:
        assert not await self.knows(PASSWORD)
        for granted in (self.home, self.elsewhere):
            assert not await self.may_refresh(granted)
        assert not await self.accepts(self.home.access_token)
        assert not await self.accepts(self.program_token)


class LettingInAgain(AccountsCase):
    async def begin(self) -> None:
        await super().begin()
        await self.manage.change("ann", OPERATOR, disabled=True)

    async def act(self) -> None:
        await self.manage.change("ann", OPERATOR, disabled=False)

    async def is_done(self) -> None:
        assert await self.knows(PASSWORD)
        for granted in (self.home, self.elsewhere):
            assert not await self.may_refresh(granted)
        assert not await self.accepts(self.program_token)


class MakingAnAdmin(AccountsCase):
    async def act(self) -> None:
        await self.manage.change("ann", OPERATOR, role=Role.ADMIN)

    async def is_done(self) -> None:
        assert (await self.authenticate(self.home.access_token)).role is Role.ADMIN


class EndingOneSession(AccountsCase):
    async def act(self) -> None:
        await self.own_sessions.end(self.ann, self.ann.session)

    async def act_again(self) -> None:
        with contextlib.suppress(UnknownSession):  # it has ended already
            await self.act()

    async def is_done(self) -> None:
        assert not await self.accepts(self.home.access_token)
        assert await self.may_refresh(self.elsewhere)


class EndingTheSessionsOfAUser(AccountsCase):
    async def act(self) -> None:
        await self.manage.end_sessions("ann", OPERATOR)

    async def is_done(self) -> None:
        for granted in (self.home, self.elsewhere):
            assert not await self.may_refresh(granted)
        assert await self.accepts(self.program_token)


class EndingEverySession(EndingTheSessionsOfAUser):
    async def act(self) -> None:
        await self.manage.end_all_sessions(OPERATOR)


class CreatingAToken(AccountsCase):
    async def act(self) -> None:
        _, self.text = await self.keep.create(
            self.ann, NewToken(name="another program"), PASSWORD, "home"
        )

    async def is_done(self) -> None:
        assert await self.authenticate(self.text) == Caller(Role.USER, "ann")
        assert await self.accepts(self.program_token)


class RevokingAToken(AccountsCase):
    async def act(self) -> None:
        await self.keep.revoke(self.ann, self.program.id)

    async def act_again(self) -> None:
        with contextlib.suppress(UnknownToken):  # it has been removed already
            await self.act()

    async def is_done(self) -> None:
        assert not await self.accepts(self.program_token)


class RevokingEveryToken(AccountsCase):
    async def act(self) -> None:
        await self.manage.revoke_tokens("ann", OPERATOR)

    async def is_done(self) -> None:
        assert not await self.accepts(self.program_token)


CASES = (
    SigningUp,
    CreatingTheFirstAdmin,
    LoggingIn,
    Refreshing,
    LoggingOut,
    ChangingThePassword,
    SettingAPassword,
    LockingOut,
    LettingInAgain,
    MakingAnAdmin,
    EndingOneSession,
    EndingTheSessionsOfAUser,
    EndingEverySession,
    CreatingAToken,
    RevokingAToken,
    RevokingEveryToken,
)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
async def test_whichever_call_fails_the_use_case_is_done_or_not_and_can_be_repeated(
    kind: type[AccountsCase],
) -> None:
    assert await sweep(kind) >= 2
