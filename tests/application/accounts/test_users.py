"""What admins and the operator do to users, and who may do what to whom."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from application.accounts.api_tokens import NewToken
from application.accounts.sign_up import SignUp
from domain.dataset import Role
from domain.errors import (
    Forbidden,
    InvalidInput,
    InvalidToken,
    LoginRequired,
    UnknownSession,
    UnknownToken,
    UnknownUser,
)
from domain.events import (
    LoggedIn,
    PasswordChanged,
    RoleChanged,
    SecurityEvent,
    SessionsEnded,
    TokenCreated,
    TokensRevoked,
    UserAdded,
    UserDisabled,
    UserEnabled,
)
from domain.users import ANONYMOUS, OPERATOR, Caller, SignupRules
from tests.application.accounts.test_accounts import PASSWORD, AccountUseCases, people

__all__ = ["people"]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def since(people: AccountUseCases, count: int) -> list[SecurityEvent]:
    """The security events but the first ones."""
    return people.events.of(SecurityEvent)[count:]


async def test_an_admin_adds_users_and_admins(people: AccountUseCases) -> None:
    user = await people.manage.add("bob", PASSWORD, Role.USER, "root")
    admin = await people.manage.add("eve", PASSWORD, Role.ADMIN, "root")

    assert [user.role, admin.role] == [Role.USER, Role.ADMIN]
    assert await people.manage.page(10) == [await people.manage.get("ann"), user, admin]
    assert since(people, 1) == [
        UserAdded(account="bob", role=Role.USER, by="root"),
        UserAdded(account="eve", role=Role.ADMIN, by="root"),
    ]


async def test_who_signs_up_does_it_alone(people: AccountUseCases) -> None:
    await SignUp(people.add_user, SignupRules())("bob", PASSWORD)

    assert since(people, 1) == [UserAdded(account="bob", role=Role.USER, by="bob")]


async def test_a_user_who_is_let_in_again_has_to_log_in_again(people: AccountUseCases) -> None:
    granted = await people.log_in("ann", PASSWORD, "here")
    _, text = await people.keep.create_for("ann", NewToken(name="ci"))
    before = len(people.events.of(SecurityEvent))

    await people.manage.change("ann", "root", disabled=True)
    again = await people.manage.change("ann", "root", disabled=False)

    assert not again.disabled
    for token in (granted.access_token, text):
        with pytest.raises(InvalidToken):
            await people.authenticate(token)
    assert await people.log_in("ann", PASSWORD, "here")
    assert since(people, before)[:2] == [
        UserDisabled(account="Ann", by="root"),
        UserEnabled(account="Ann", by="root"),
    ]


async def test_what_is_so_already_stays_as_it_is(people: AccountUseCases) -> None:
    granted = await people.log_in("ann", PASSWORD, "here")
    before = len(people.events.of(SecurityEvent))

    user = await people.manage.change("ann", "root", role=Role.USER, disabled=False)

    assert user == await people.accounts.get("ann")
    assert await people.authenticate(granted.access_token)
    assert since(people, before) == []


async def test_another_role_is_had_at_once_by_who_is_logged_in(people: AccountUseCases) -> None:
    token = (await people.log_in("ann", PASSWORD, "here")).access_token

    await people.manage.change("ann", "root", role=Role.ADMIN)

    assert (await people.authenticate(token)).role is Role.ADMIN
    changed = RoleChanged(account="Ann", role=Role.ADMIN, by="root")
    assert people.events.of(RoleChanged) == [changed]


@pytest.mark.parametrize(
    ("change", "pointer"), [({"disabled": True}, "/disabled"), ({"role": Role.USER}, "/role")]
)
async def test_an_admin_does_not_lock_themselves_out(
    people: AccountUseCases, change: dict[str, Any], pointer: str
) -> None:
    await people.manage.change("ann", OPERATOR, role=Role.ADMIN)

    with pytest.raises(InvalidInput, match="another admin") as raised:
        await people.manage.change("ANN", "Ann", **change)

    assert raised.value.pointer == pointer
    kept = await people.manage.change("ann", "Ann", role=Role.ADMIN, disabled=False)
    assert (kept.role, kept.disabled) == (Role.ADMIN, False)


@pytest.mark.parametrize(
    "act",
    [
        lambda manage: manage.get("bob"),
        lambda manage: manage.change("bob", OPERATOR, role=Role.ADMIN),
        lambda manage: manage.sessions_of("bob"),
        lambda manage: manage.end_sessions("bob", OPERATOR),
        lambda manage: manage.tokens_of("bob"),
        lambda manage: manage.revoke_tokens("bob", OPERATOR),
    ],
)
async def test_what_is_done_to_nobody_says_so(
    people: AccountUseCases, act: Callable[..., Any]
) -> None:
    with pytest.raises(UnknownUser, match="'bob'"):
        await act(people.manage)


# ---------------------------------------------------------------- sessions and tokens


async def logged_in(people: AccountUseCases, network: str = "here") -> Caller:
    granted = await people.log_in("ann", PASSWORD, network)
    return await people.authenticate(granted.access_token)


async def test_people_see_where_they_are_logged_in_and_log_out_there(
    people: AccountUseCases,
) -> None:
    home = await logged_in(people, "home")
    people.clock.advance(60)
    away = await logged_in(people, "away")

    listed = await people.own_sessions.list(home)
    await people.own_sessions.end(home, away.session)

    assert [(session.network, session.created_at) for session in listed] == [
        ("away", NOW + timedelta(minutes=1)),
        ("home", NOW),
    ]
    assert [session.id for session in await people.own_sessions.list(home)] == [home.session]
    assert people.events.of(SessionsEnded) == [SessionsEnded(account="Ann", by="Ann", count=1)]


async def test_people_log_out_everywhere(people: AccountUseCases) -> None:
    caller, *_ = [await logged_in(people) for _ in range(3)]

    await people.own_sessions.end(caller)

    assert await people.own_sessions.list(caller) == []
    assert people.events.of(SessionsEnded) == [SessionsEnded(account="Ann", by="Ann", count=3)]


async def test_nobody_ends_the_sessions_of_others(people: AccountUseCases) -> None:
    await people.add_user("bob", PASSWORD)
    bobs = await people.authenticate((await people.log_in("bob", PASSWORD, "x")).access_token)
    anns = await logged_in(people)

    with pytest.raises(UnknownSession):
        await people.own_sessions.end(bobs, anns.session)

    assert await people.own_sessions.list(anns)


async def test_programs_and_strangers_have_no_sessions(people: AccountUseCases) -> None:
    for caller, error in ((Caller(Role.USER, "Ann"), Forbidden), (ANONYMOUS, LoginRequired)):
        with pytest.raises(error):
            await people.own_sessions.list(caller)
        with pytest.raises(error):
            await people.own_sessions.end(caller)


async def test_an_admin_ends_sessions_and_revokes_tokens_of_others(
    people: AccountUseCases,
) -> None:
    one, _ = [await logged_in(people) for _ in range(2)]
    tokens = [await people.keep.create_for("ann", NewToken(name=n)) for n in ("a", "b", "c")]
    before = len(people.events.of(SecurityEvent))

    assert len(await people.manage.sessions_of("ANN")) == 2
    assert await people.manage.end_sessions("ANN", "root", one.session) == 1
    assert await people.manage.end_sessions("ann", "root") == 1
    assert await people.manage.revoke_tokens("ANN", "root", tokens[0][0].id) == 1
    assert [token.name for token in await people.manage.tokens_of("ann")] == ["b", "c"]
    assert await people.manage.revoke_tokens("ann", "root") == 2

    for unknown in (people.manage.end_sessions, people.manage.revoke_tokens):
        with pytest.raises((UnknownSession, UnknownToken)):
            await unknown("ann", "root", "7")
    assert since(people, before) == [
        SessionsEnded(account="Ann", by="root", count=1),
        SessionsEnded(account="Ann", by="root", count=1),
        TokensRevoked(account="Ann", by="root", count=1),
        TokensRevoked(account="Ann", by="root", count=2),
    ]


async def test_the_operator_ends_every_session(people: AccountUseCases) -> None:
    await people.add_user("bob", PASSWORD)
    for name in ("ann", "bob"):
        await people.log_in(name, PASSWORD, "here")

    assert await people.manage.end_all_sessions(OPERATOR) == 2

    assert people.events.of(SessionsEnded) == [SessionsEnded(account="", by=OPERATOR, count=2)]


async def test_what_lets_somebody_in_is_published_without_the_secret(
    people: AccountUseCases,
) -> None:
    ann = await logged_in(people)
    token, text = await people.keep.create(ann, NewToken(name="ci"), PASSWORD, "here")
    await people.change_password(ann, PASSWORD, "another password", "here")
    await people.change_password.set("ann", PASSWORD, keep_tokens=True)

    assert since(people, 1) == [
        LoggedIn(account="Ann", network="here"),
        TokenCreated(
            account="Ann",
            by="Ann",
            token=token.id,
            scope="read fetch write admin",
            expires_at=None,
        ),
        PasswordChanged(account="Ann", by="Ann", tokens_kept=False),
        PasswordChanged(account="Ann", by=OPERATOR, tokens_kept=True),
    ]
    for secret in (PASSWORD, "another password", text):
        assert secret not in repr(people.events.published)
