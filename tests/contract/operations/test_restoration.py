"""Contract of restorations: in a restored database nothing of the backup lets anybody in."""

import pytest

from domain.errors import InvalidToken
from tests.contract.accounts.test_accounts import session, token
from tests.contract.backends import Backend


@pytest.mark.parametrize("keep_tokens", [False, True])
async def test_a_renewed_database_has_no_session_and_no_token_but_those_that_are_kept(
    backend: Backend, keep_tokens: bool
) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.sessions.open(session(backend, 2), "ended")
    await backend.sessions.end("ended")
    await backend.api_tokens.add(token(backend), 100)
    before = backend.changes.version()

    renewed = await backend.restoration.renew("another", keep_tokens)

    assert (renewed.sessions, renewed.tokens) == (1, 0 if keep_tokens else 1)
    assert not await backend.sessions.is_open("session 1")
    assert await backend.user_sessions.of("ann") == []
    with pytest.raises(InvalidToken):
        await backend.sessions.rotate("one", "two")
    assert (await backend.api_tokens.find("d1") is not None) is keep_tokens
    assert backend.changes.version() != before


async def test_who_logs_in_afterwards_is_logged_in(backend: Backend) -> None:
    await backend.restoration.renew("another", keep_tokens=False)

    await backend.sessions.open(session(backend), "one")
    await backend.api_tokens.add(token(backend), 100)

    assert await backend.sessions.is_open("session 1")
    assert await backend.api_tokens.find("d1")


async def test_a_second_renewal_finds_nothing_to_end_and_ends_what_is_new(
    backend: Backend,
) -> None:
    await backend.sessions.open(session(backend), "one")
    await backend.restoration.renew("another", keep_tokens=True)

    assert (await backend.restoration.renew("a third", keep_tokens=True)).sessions == 0
