"""Tokens: what is read is what was written, and only what was written here."""

from datetime import timedelta

import pytest

from adapters.memory.accounts import MemoryTokens
from adapters.memory.system import SeededRandom, SteerableClock
from adapters.system.machine import SystemRandom
from adapters.system.tokens import JwtTokens
from application.ports.accounts import Tokens
from domain.errors import InvalidToken
from domain.sessions import Claims

CLOCK = SteerableClock()
KINDS: list[Tokens] = [JwtTokens(b"x" * 32, CLOCK, SeededRandom()), MemoryTokens(CLOCK)]


def claims() -> Claims:
    return Claims(
        user="ann", session="1", version=3, expires_at=CLOCK.now() + timedelta(seconds=600)
    )


@pytest.mark.parametrize("tokens", KINDS)
def test_a_token_says_what_it_was_made_to_say(tokens: Tokens) -> None:
    assert tokens.read(tokens.issue(claims())) == claims()


@pytest.mark.parametrize("tokens", KINDS)
def test_a_token_runs_out(tokens: Tokens) -> None:
    token = tokens.issue(claims())
    CLOCK.advance(600)

    with pytest.raises(InvalidToken):
        tokens.read(token)


@pytest.mark.parametrize("tokens", KINDS)
@pytest.mark.parametrize("token", ["", "junk", "a.b.c", "é"])
def test_what_is_none_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.read(token)


@pytest.mark.parametrize("tokens", KINDS)
def test_a_token_has_one_successor(tokens: Tokens) -> None:
    assert tokens.successor("a") == tokens.successor("a") != tokens.successor("b")


def test_another_secret_reads_nothing_and_computes_other_successors() -> None:
    ours, theirs = (JwtTokens(secret * 32, CLOCK, SystemRandom()) for secret in (b"x", b"y"))

    with pytest.raises(InvalidToken):
        theirs.read(ours.issue(claims()))
    assert ours.successor("a") != theirs.successor("a")
