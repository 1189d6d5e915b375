"""Contract of accounts, sessions and API tokens."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from domain.dataset import Role
from domain.errors import InvalidToken, NameTaken, SignupClosed
from domain.sessions import GRACE, ApiToken, Session
from domain.users import Scope, User
from tests.contract.backends import Backend


def ann(backend: Backend, name: str = "Ann") -> User:
    return User(name=name, role=Role.ADMIN, password="a hash", created_at=backend.clock.now())


def session(backend: Backend, number: int = 1, user: str = "ann") -> Session:
    now = backend.clock.now()
    return Session(
        id=f"session {number}",
        user=user,
        version=number,
        created_at=now,
        expires_at=now + timedelta(days=1),
    )


def token(backend: Backend, number: int = 1, user: str = "ann") -> ApiToken:
    return ApiToken(
        id=f"{number}", user=user, name="ci", digest=f"d{number}", created_at=backend.clock.now()
    )


# ---------------------------------------------------------------- users


async def test_a_user_is_kept_whole_and_found_by_any_case_of_the_name(backend: Backend) -> None:
    user = ann(backend)
    await backend.accounts.add(user)

    assert await backend.accounts.get("aNN") == user
    assert await backend.accounts.get("bob") is None


async def test_a_name_is_taken_once_however_many_want_it(backend: Backend) -> None:
    names = ["Ann", "ann", "ANN", "anN"] * 5
    tries = await asyncio.gather(
        *(backend.accounts.add(ann(backend, name)) for name in names), return_exceptions=True
    )

    assert [type(error) for error in tries if error is not None] == [NameTaken] * 19


async def test_of_many_who_sign_up_at_once_no_more_are_kept_than_there_may_be(
    backend: Backend,
) -> None:
    # No task waits for a connection afterwards, so that all count at the same time.
    await asyncio.gather(*(backend.accounts.add(ann(backend, f"early {n}")) for n in range(10)))
    tries = await asyncio.gather(
        *(backend.accounts.add(ann(backend, f"late {n}"), most=13) for n in range(10)),
        return_exceptions=True,
    )

    assert [type(error) for error in tries if error is not None] == [SignupClosed] * 7
    await backend.accounts.add(ann(backend, "one more"))


async def test_a_taken_name_is_taken_however_many_there_may_be(backend: Backend) -> None:
    await backend.accounts.add(ann(backend))

    with pytest.raises(NameTaken):
        await backend.accounts.add(ann(backend), most=4)


async def test_a_user_is_replaced_as_seen(backend: Backend) -> None:
    user = ann(backend)
    await backend.accounts.add(user)
    changed = user.with_password("another")

    assert await backend.accounts.replace(user, changed)
    assert await backend.accounts.get("ann") == changed
    assert not await backend.accounts.replace(user, user.locked_out())
    assert await backend.accounts.get("ann") == changed


@pytest.mark.parametrize(
    "meanwhile", [{"role": Role.USER}, {"token_version": 1}, {"version": 1}, {"password": "other"}]
)
async def test_a_user_who_was_changed_meanwhile_is_not_replaced(
    backend: Backend, meanwhile: dict[str, Any]
) -> None:
    user = ann(backend)
    await backend.accounts.add(user)
    changed = msgspec.structs.replace(user, **meanwhile)
    await backend.accounts.replace(user, changed)

    assert not await backend.accounts.replace(user, user.locked_out())
    assert await backend.accounts.get("ann") == changed


async def test_users_are_listed_by_the_characters_of_their_names_a_page_at_a_time(
    backend: Backend,
) -> None:
    names = ["b", "B-1", "b.a", "b_1", "ba", "a@x", "10", "9"]
    for name in names:
        await backend.accounts.add(ann(backend, name))

    pages = [[user.key for user in await backend.accounts.page(3)]]
    while pages[-1]:
        pages.append([u.key for u in await backend.accounts.page(3, pages[-1][-1])])

    keys = sorted(name.lower() for name in names)
    assert pages == [keys[:3], keys[3:6], keys[6:], []]


async def test_a_change_of_a_user_changes_the_version(backend: Backend) -> None:
    user = ann(backend)
    await backend.accounts.add(user)
    before = backend.changes.version()

    await backend.accounts.replace(user, user.locked_out())

    assert backend.changes.version() != before


# ---------------------------------------------------------------- sessions


async def test_a_refresh_token_gives_its_session_and_then_its_successor_counts(
    backend: Backend,
) -> None:
    opened = session(backend)
    await backend.sessions.open(opened, "one")

    for token, successor in (("one", "two"), ("two", "three")):
        backend.clock.advance(1)
        used = msgspec.structs.replace(opened, last_used_at=backend.clock.now())
        assert await backend.sessions.rotate(token, successor) == used


async def test_many_who_refresh_at_once_get_the_same_and_end_nothing(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")

    sessions = await asyncio.gather(*(backend.sessions.rotate("one", "two") for _ in range(20)))

    assert {t.id for t in sessions} == {"session 1"}
    assert await backend.sessions.is_open("session 1")
    await backend.sessions.rotate("two", "three")


async def test_a_token_used_again_within_the_grace_does_the_same(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.sessions.rotate("one", "two")
    backend.clock.advance(GRACE)

    assert (await backend.sessions.rotate("one", "two")).id == "session 1"


async def test_a_token_used_again_later_ends_the_session(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.sessions.rotate("one", "two")
    backend.clock.advance(GRACE + timedelta(seconds=1))
    before = backend.changes.version()

    with pytest.raises(InvalidToken, match="used before"):
        await backend.sessions.rotate("one", "two")

    assert not await backend.sessions.is_open("session 1")
    assert backend.changes.version() != before
    with pytest.raises(InvalidToken, match="ended"):
        await backend.sessions.rotate("two", "three")


async def test_the_grace_period_does_not_restart(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.sessions.rotate("one", "two")
    backend.clock.advance(GRACE)
    await backend.sessions.rotate("one", "two")
    backend.clock.advance(1)

    with pytest.raises(InvalidToken):
        await backend.sessions.rotate("one", "two")


async def test_an_unknown_token_is_invalid(backend: Backend) -> None:
    with pytest.raises(InvalidToken):
        await backend.sessions.rotate("nothing", "more")


async def test_a_session_ends_by_itself(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")
    backend.clock.advance(timedelta(days=1))

    assert not await backend.sessions.is_open("session 1")
    with pytest.raises(InvalidToken):
        await backend.sessions.rotate("one", "two")


@pytest.mark.parametrize("named", ["session 1", "one", "two"])
async def test_a_session_is_ended_by_its_name_or_by_any_of_its_tokens(
    backend: Backend, named: str
) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.sessions.open(session(backend, 2), "other")
    await backend.sessions.rotate("one", "two")
    before = backend.changes.version()

    await backend.sessions.end(named)

    assert not await backend.sessions.is_open("session 1")
    assert await backend.sessions.is_open("session 2")
    assert backend.changes.version() != before


async def test_ending_what_is_not_there_does_nothing(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")

    await backend.sessions.end("nothing")
    assert await backend.user_sessions.end_all("unknown") == 0

    assert await backend.sessions.is_open("session 1")
    assert not await backend.sessions.is_open("nothing")


async def test_every_session_of_a_user_is_ended_at_once(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.sessions.open(session(backend, 2), "two")
    await backend.sessions.open(session(backend, 3, user="bob"), "three")
    before = backend.changes.version()

    assert await backend.user_sessions.end_all("ann") == 2

    open_ = [await backend.sessions.is_open(f"session {number}") for number in (1, 2, 3)]
    assert open_ == [False, False, True]
    assert backend.changes.version() != before


async def test_the_sessions_of_everybody_are_ended_at_once(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.sessions.open(session(backend, 2, user="bob"), "two")
    await backend.sessions.end("one")

    assert await backend.user_sessions.end_all(None) == 1
    assert await backend.user_sessions.end_all(None) == 0

    assert not await backend.sessions.is_open("session 2")


async def test_the_open_sessions_of_a_user_are_listed_the_latest_login_first(
    backend: Backend,
) -> None:
    first = msgspec.structs.replace(session(backend), network="192.0.2.1")
    await backend.sessions.open(first, "one")
    backend.clock.advance(1)
    second = session(backend, 2)
    await backend.sessions.open(second, "two")
    await backend.sessions.open(session(backend, 3, user="bob"), "three")
    await backend.sessions.open(session(backend, 4), "four")
    await backend.sessions.end("four")

    assert await backend.user_sessions.of("ann") == [second, first]
    backend.clock.advance(timedelta(days=1))
    assert await backend.user_sessions.of("ann") == []


async def test_no_session_and_no_token_counts_under_another_secret_key(backend: Backend) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.api_tokens.add(token(backend))
    sessions, api_tokens = backend.with_key("another key")

    assert not await sessions.is_open("session 1")
    with pytest.raises(InvalidToken):
        await sessions.rotate("one", "two")
    assert await api_tokens.find("d1") is None
    assert await api_tokens.of("ann") == []
    assert await backend.sessions.is_open("session 1")
    assert await backend.api_tokens.find("d1")


# ---------------------------------------------------------------- API tokens


async def test_a_token_is_found_by_its_digest(backend: Backend) -> None:
    kept = token(backend)
    await backend.api_tokens.add(kept)

    assert await backend.api_tokens.find("d1") == kept
    assert await backend.api_tokens.find("d2") is None


async def test_a_token_is_kept_whole(backend: Backend) -> None:
    now = backend.clock.now()
    kept = msgspec.structs.replace(
        token(backend),
        version=3,
        scopes=frozenset({Scope.READ, Scope.WRITE}),
        expires_at=now + timedelta(days=1),
        last_used_at=now,
    )
    await backend.api_tokens.add(kept)

    assert await backend.api_tokens.find("d1") == kept
    assert await backend.api_tokens.of("ann") == [kept]


async def test_the_last_use_of_a_token_is_kept(backend: Backend) -> None:
    kept = token(backend)
    await backend.api_tokens.add(kept)
    backend.clock.advance(60)

    await backend.api_tokens.note_use("1", backend.clock.now())
    await backend.api_tokens.note_use("gone", backend.clock.now())

    used = msgspec.structs.replace(kept, last_used_at=backend.clock.now())
    assert await backend.api_tokens.of("ann") == [used]


async def test_a_users_tokens_are_listed_oldest_first(backend: Backend) -> None:
    for number in (1, 2):
        await backend.api_tokens.add(token(backend, number))
    await backend.api_tokens.add(token(backend, 3, user="bob"))

    assert [t.id for t in await backend.api_tokens.of("ann")] == ["1", "2"]


async def test_of_many_tokens_added_at_once_none_is_one_too_many(backend: Backend) -> None:
    await backend.accounts.add(ann(backend))
    await backend.api_tokens.add(token(backend, 1), most=5)
    await backend.api_tokens.add(token(backend, 2, user="bob"))

    # No task waits for a connection afterwards, so that all count at the same time.
    await asyncio.gather(*(backend.accounts.add(ann(backend, f"early {n}")) for n in range(10)))
    added = await asyncio.gather(
        *(backend.api_tokens.add(token(backend, number), most=5) for number in range(10, 20))
    )

    assert added.count(True) == 4
    assert len(await backend.api_tokens.of("ann")) == 5
    assert await backend.api_tokens.revoke("ann", "1")
    assert await backend.api_tokens.add(token(backend, 3), most=5)


async def test_a_token_is_revoked_by_its_user_alone(backend: Backend) -> None:
    kept = token(backend)
    await backend.api_tokens.add(kept)
    await backend.api_tokens.add(msgspec.structs.replace(kept, id="2", digest="d2"))
    before = backend.changes.version()

    assert await backend.api_tokens.revoke("bob", "1") == 0
    assert await backend.api_tokens.revoke("ann", "1") == 1

    assert backend.changes.version() != before
    assert await backend.api_tokens.revoke("ann", "1") == 0
    assert await backend.api_tokens.find("d1") is None
    assert await backend.api_tokens.find("d2") is not None


async def test_all_tokens_of_a_user_are_revoked_at_once(backend: Backend) -> None:
    for number, user in ((1, "ann"), (2, "ann"), (3, "bob")):
        await backend.api_tokens.add(token(backend, number, user))
    before = backend.changes.version()

    assert await backend.api_tokens.revoke("ann") == 2
    assert await backend.api_tokens.revoke("ann") == 0

    assert backend.changes.version() != before
    assert await backend.api_tokens.find("d3")
