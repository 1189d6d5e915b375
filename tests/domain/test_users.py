"""Users: names, passwords, and what ends their tokens."""

from datetime import UTC, datetime

import pytest

from domain.dataset import Role
from domain.errors import InvalidInput
from domain.users import (
    ANONYMOUS,
    LONGEST_PASSWORD_BYTES,
    Caller,
    User,
    checked_name,
    checked_password,
    key_of,
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


def test_another_password_ends_every_token() -> None:
    changed = ANN.with_password("another hash")

    assert (changed.password, changed.version) == ("another hash", ANN.version + 1)


def test_disabling_a_user_ends_every_token() -> None:
    locked = ANN.locked_out()

    assert (locked.disabled, locked.version) == (True, ANN.version + 1)


def test_an_unknown_caller_is_anonymous() -> None:
    assert Caller() == ANONYMOUS
    assert ANONYMOUS.role is Role.ANYONE
