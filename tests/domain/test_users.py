"""Users: names, passwords, and what ends their tokens."""

from datetime import UTC, datetime

import pytest

from domain.dataset import Role
from domain.errors import InsufficientScope, InvalidInput
from domain.users import (
    ALL_SCOPES,
    ANONYMOUS,
    LONGEST_PASSWORD_BYTES,
    Caller,
    Scope,
    User,
    checked_name,
    checked_password,
    key_of,
    scope_text,
    scopes_in,
)

ANN = User(name="Ann", password="a hash", created_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("name", ["a", "Ann", "a.b-c_d@example.com", "x" * 64, "0"])
def test_letters_digits_and_a_few_signs_are_a_name(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "änn", "аnn", "a/b", "a\0", "a\n", "a‮"])
def test_anything_else_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        checked_name(name)

    assert raised.value.pointer == "/username"


def test_names_that_differ_in_case_alone_are_one() -> None:
    assert ANN.key == key_of("ANN") == "ann"


@pytest.mark.parametrize("password", ["8letters", " spaces ", "ü" * 8, "x" * 1024])
def test_a_password_may_be_anything_of_some_length(password: str) -> None:
    assert checked_password(password) == password


@pytest.mark.parametrize(
    "password", ["", "7letter", "x" * 1025, "ü" * 513, "with\0nul in it", "lone \ud800 surrogate"]
)
def test_a_password_that_is_too_short_too_long_or_no_text_is_refused(password: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        checked_password(password, "new_password")

    assert raised.value.pointer == "/new_password"
    assert LONGEST_PASSWORD_BYTES == 1024


@pytest.mark.parametrize(("keep_tokens", "token_version"), [(False, 1), (True, 0)])
def test_another_password_ends_every_session_and_api_tokens_unless_they_are_kept(
    keep_tokens: bool, token_version: int
) -> None:
    changed = ANN.with_password("another hash", keep_tokens)

    assert (changed.password, changed.version) == ("another hash", ANN.version + 1)
    assert changed.token_version == token_version


def test_what_ends_when_a_user_is_disabled_stays_ended_when_they_are_let_in_again() -> None:
    locked = ANN.locked_out()
    again = locked.let_in()

    assert [locked.disabled, again.disabled] == [True, False]
    assert ANN.version < locked.version < again.version
    assert ANN.token_version < locked.token_version < again.token_version


def test_scopes_are_named_in_any_order_and_shown_in_one() -> None:
    scopes = scopes_in("write read write")

    assert scopes == {Scope.READ, Scope.WRITE}
    assert scope_text(scopes) == "read write"
    assert scopes_in(scope_text(ALL_SCOPES)) == ALL_SCOPES


@pytest.mark.parametrize("text", ["", " ", "read  fetch", "Read", "read,fetch", "delete"])
def test_anything_else_is_no_scope(text: str) -> None:
    with pytest.raises(InvalidInput, match="read, fetch, write, admin") as raised:
        scopes_in(text)

    assert raised.value.pointer == "/scope"


def test_a_caller_may_do_what_the_scopes_of_their_token_allow() -> None:
    program = Caller(Role.USER, "ann", None, frozenset({Scope.READ}))

    program.require(Scope.READ)
    ANONYMOUS.require(Scope.FETCH)  # who sends no token is bound by none
    with pytest.raises(InsufficientScope, match="lacks the scope write"):
        program.require(Scope.WRITE)


def test_an_unknown_caller_is_anonymous() -> None:
    assert Caller() == ANONYMOUS
    assert ANONYMOUS.role is Role.ANYONE
