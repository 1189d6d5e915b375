"""Sessions: their lifetime, and the detection of stolen refresh tokens."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.sessions import GRACE, Session, digest_of, is_replay

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SESSION = Session(id="1", user="ann", created_at=NOW, expires_at=NOW + timedelta(days=30))


def test_a_session_is_open_until_its_time_has_come() -> None:
    assert SESSION.is_open(SESSION.expires_at - timedelta(microseconds=1))
    assert not SESSION.is_open(SESSION.expires_at)


def test_a_session_that_was_ended_is_not_open() -> None:
    assert not msgspec.structs.replace(SESSION, ended_at=NOW).is_open(NOW)


def test_a_token_shown_again_is_stolen_once_the_grace_is_over() -> None:
    assert not is_replay(None, NOW)
    assert not is_replay(NOW, NOW + GRACE)
    assert is_replay(NOW, NOW + GRACE + timedelta(microseconds=1))


@given(st.text(), st.text())
def test_only_the_same_token_has_the_same_digest(one: str, other: str) -> None:
    assert (digest_of("x" + one) == digest_of("x" + other)) is (one == other)
