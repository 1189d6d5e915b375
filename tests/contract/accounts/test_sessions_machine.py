"""Sessions against two dictionaries: refresh tokens used once, twice, late and stolen."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, rule

from domain.errors import InvalidToken
from domain.sessions import Session
from tests.contract.backends import Open
from tests.contract.machines import Machine, hold_to

GRACE, LIFE = timedelta(seconds=20), timedelta(days=1)


@dataclass
class Known:
    """The model of one refresh token."""

    session: str
    used_at: datetime | None = None


class SessionsMachine(Machine):
    """Users log in, refresh with any token they ever had, and log out."""

    tokens: Bundle[str] = Bundle("tokens")

    def __init__(self, open_backend: Open, runner: asyncio.Runner) -> None:
        super().__init__(open_backend, runner)
        self.sessions: dict[str, Session] = {}
        self.known: dict[str, Known] = {}

    @property
    def now(self) -> datetime:
        return self.backend.clock.now()

    def is_open(self, session: Session) -> bool:
        return session.ended_at is None and self.now < session.expires_at

    def end(self, session_id: str) -> None:
        """End a session of the model."""
        session = self.sessions[session_id]
        ended_at = session.ended_at or self.now
        self.sessions[session_id] = msgspec.structs.replace(session, ended_at=ended_at)

    @rule(passed=st.sampled_from([timedelta(seconds=1), GRACE, timedelta(seconds=21), LIFE / 2]))
    def time_passes(self, passed: timedelta) -> None:
        self.backend.clock.advance(passed)

    @rule(target=tokens, user=st.sampled_from(["ann", "bob"]))
    def log_in(self, user: str) -> str:
        session = Session(
            id=self.backend.random.identifier(),
            user=user,
            version=1,
            created_at=self.now,
            expires_at=self.now + LIFE,
        )
        digest = f"{session.id} 0"
        self.run(self.backend.sessions.open(session, digest))
        self.sessions[session.id], self.known[digest] = session, Known(session.id)
        return digest

    @rule(target=tokens, digest=tokens)
    def refresh(self, digest: str) -> str:
        session_id, _, number = digest.partition(" ")
        successor = f"{session_id} {int(number) + 1}"
        known = self.known.get(digest)
        session = self.sessions[session_id]
        rotating = self.backend.sessions.rotate(digest, successor)
        if known is None or not self.is_open(session):
            with pytest.raises(InvalidToken):
                self.run(rotating)
        elif known.used_at is not None and self.now - known.used_at > GRACE:
            with pytest.raises(InvalidToken):
                self.run(rotating)
            self.end(session_id)
        else:
            used = msgspec.structs.replace(session, last_used_at=self.now)
            assert self.run(rotating) == used
            self.sessions[session_id] = used
            known.used_at = known.used_at or self.now
            self.known.setdefault(successor, Known(session_id))
        return successor

    @rule(digest=tokens, by_session=st.booleans())
    def log_out(self, digest: str, by_session: bool) -> None:
        session_id = digest.partition(" ")[0]
        self.run(self.backend.sessions.end(session_id if by_session else digest))
        if by_session or digest in self.known:
            self.end(session_id)

    @rule(user=st.sampled_from(["ann", "bob"]))
    def a_user_is_logged_out_everywhere(self, user: str) -> None:
        theirs = [s for s in self.sessions.values() if s.user == user]
        assert self.run(self.backend.user_sessions.end_all(user)) == sum(map(self.is_open, theirs))
        for session in theirs:
            self.end(session.id)

    @invariant()
    def the_same_sessions_are_open(self) -> None:
        for session in self.sessions.values():
            found = self.run(self.backend.sessions.is_open(session.id))
            assert found is self.is_open(session)

    @invariant()
    def the_same_sessions_are_listed(self) -> None:
        for user in ("ann", "bob"):
            listed = self.run(self.backend.user_sessions.of(user))
            theirs = [s for s in self.sessions.values() if s.user == user and self.is_open(s)]
            assert sorted(listed, key=lambda s: s.id) == sorted(theirs, key=lambda s: s.id)
            assert [s.created_at for s in listed] == sorted(
                (s.created_at for s in theirs), reverse=True
            )


def test_sessions_agree_with_two_dictionaries_whatever_happens(open_backend: Open) -> None:
    hold_to(SessionsMachine, open_backend, steps=50)
