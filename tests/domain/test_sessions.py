"""Sessions: their lifetime, and the detection of stolen refresh tokens."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dataset import Role
from domain.sessions import GRACE, ApiToken, Session, digest_of, is_replay
from domain.users import ALL_SCOPES, Caller, Scope, User

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SESSION = Session(id="1", user="ann", created_at=NOW, expires_at=NOW + timedelta(days=30))


def test_a_session_is_open_until_its_time_has_come() -> None:
    assert SESSION.is_open(SESSION.expires_at - timedelta(microseconds=1))
    assert not SESSION.is_open(SESSION.expires_at)


def test_a_session_that_was_ended_is_not_open() -> None:
    assert not msgspec.structs.replace(SESSION, ended_at=NOW).is_open(NOW)


def test_a_login_is_recent_for_ten_minutes_whichever_way_the_clocks_differ() -> None:
    minutes = timedelta(minutes=10)

    assert SESSION.is_recent(NOW + minutes - timedelta(microseconds=1))
    assert SESSION.is_recent(NOW - timedelta(seconds=1))
    assert not SESSION.is_recent(NOW + minutes)
    assert not SESSION.is_recent(NOW - minutes)


ANN = User(name="Ann", password="a hash", role=Role.ADMIN, token_version=2, created_at=NOW)
TOKEN = ApiToken(id="1", user="ann", name="ci", digest="d", created_at=NOW, version=2)


def test_an_api_token_is_valid_until_it_or_its_user_ends() -> None:
    limited = msgspec.structs.replace(TOKEN, expires_at=NOW)

    assert TOKEN.is_valid(ANN, NOW)
    assert limited.is_valid(ANN, NOW - timedelta(microseconds=1))
    assert not limited.is_valid(ANN, NOW)
    assert not TOKEN.is_valid(ANN.with_password("another"), NOW)
    assert TOKEN.is_valid(ANN.with_password("another", keep_tokens=True), NOW)
    assert not TOKEN.is_valid(ANN.locked_out(), NOW)
    assert not TOKEN.is_valid(msgspec.structs.replace(ANN, disabled=True), NOW)


@pytest.mark.parametrize(
    ("role", "scopes", "as_role"),
    [
        (Role.ADMIN, ALL_SCOPES, Role.ADMIN),
        (Role.ADMIN, {Scope.ADMIN}, Role.ADMIN),
        (Role.ADMIN, {Scope.READ, Scope.FETCH, Scope.WRITE}, Role.USER),
        (Role.USER, ALL_SCOPES, Role.USER),
    ],
)
def test_an_api_token_has_its_users_role_if_its_scope_says_so(
    role: Role, scopes: frozenset[Scope], as_role: Role
) -> None:
    token = msgspec.structs.replace(TOKEN, scopes=frozenset(scopes))

    caller = token.caller(msgspec.structs.replace(ANN, role=role))

    assert caller == Caller(as_role, "Ann", None, frozenset(scopes))


def test_the_last_use_of_a_token_is_known_to_the_minute() -> None:
    used = msgspec.structs.replace(TOKEN, last_used_at=NOW)
    minute = timedelta(minutes=1)

    assert not TOKEN.was_used(NOW)
    assert used.was_used(NOW + minute - timedelta(microseconds=1))
    assert not used.was_used(NOW + minute)
    assert not used.was_used(NOW - minute)  # the clock was set back


def test_a_token_shown_again_is_stolen_once_the_grace_is_over() -> None:
    assert not is_replay(None, None, NOW)
    assert not is_replay(NOW, None, NOW + GRACE)
    assert is_replay(NOW, None, NOW + GRACE + timedelta(microseconds=1))


def test_a_token_is_stolen_if_the_clock_or_its_successor_says_that_it_was_used_long_ago() -> None:
    assert is_replay(NOW, None, NOW - GRACE - timedelta(microseconds=1))
    assert is_replay(NOW, NOW - 2 * GRACE, NOW)
    assert not is_replay(NOW, NOW, NOW)


@given(st.text(), st.text())
def test_only_the_same_token_has_the_same_digest(one: str, other: str) -> None:
    assert (digest_of("x" + one) == digest_of("x" + other)) is (one == other)
