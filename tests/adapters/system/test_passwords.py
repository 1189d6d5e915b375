"""Passwords as they are really hashed."""

import asyncio
import base64
import statistics
from time import perf_counter

import bcrypt
import pytest

from adapters.system.passwords import MAX_WAITING, ArgonPasswordHasher
from domain.errors import TooManyWaiting

HASHER = ArgonPasswordHasher()


async def test_a_hash_is_argon2id_at_the_recommended_cost() -> None:
    hashed = await HASHER.hash("correct horse battery")

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "correct" not in hashed
    assert await HASHER.hash("correct horse battery") != hashed


async def test_the_password_is_verified_and_no_other() -> None:
    hashed = await HASHER.hash("correct horse")

    right, wrong = [await HASHER.verify(p, hashed) for p in ("correct horse", "Correct horse")]

    assert (right.ok, right.renewed, wrong.ok) == (True, None, False)


@pytest.mark.parametrize("prefix", [b"2b", b"2a"])
async def test_a_bcrypt_hash_of_earlier_days_verifies_and_is_replaced(prefix: bytes) -> None:
    old = bcrypt.hashpw(b"correct horse", bcrypt.gensalt(4, prefix)).decode()

    verified = await HASHER.verify("correct horse", old)

    assert verified.ok
    assert verified.renewed
    assert verified.renewed.startswith("$argon2id$")
    assert (await HASHER.verify("correct horse", verified.renewed)).ok
    assert not (await HASHER.verify("wrong horse", old)).ok


@pytest.mark.parametrize("hashed", ["", "plain", "$2b$", "$argon2id$broken", "$1$md5"])
async def test_what_is_no_hash_matches_nothing(hashed: str) -> None:
    assert not (await HASHER.verify("plain", hashed)).ok


async def test_a_password_longer_than_bcrypt_takes_is_wrong_and_no_accident() -> None:
    old = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()

    assert not (await HASHER.verify("x" * 73, old)).ok


async def test_long_passwords_are_never_cut() -> None:
    hashed = await HASHER.hash("x" * 1000 + "a")

    assert not (await HASHER.verify("x" * 1000 + "b", hashed)).ok


async def test_a_missing_hash_is_wrong_after_the_same_time() -> None:
    hashed = await HASHER.hash("correct horse")
    await HASHER.verify("a", None)

    async def took(of: str | None) -> float:
        began = perf_counter()
        assert not (await HASHER.verify("wrong", of)).ok
        return perf_counter() - began

    known, unknown = [], []
    for _ in range(15):
        known.append(await took(hashed))
        unknown.append(await took(None))
    # Work of the same kind: on a busy machine too, one is no fraction of the other.
    assert 0.3 < statistics.median(known) / statistics.median(unknown) < 3


async def test_when_too_many_wait_one_more_is_turned_away() -> None:
    hasher = ArgonPasswordHasher()
    waiting = [asyncio.create_task(hasher.hash("x" * 8)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(TooManyWaiting):
        await hasher.hash("one more")

    await asyncio.gather(*waiting)
    assert await hasher.hash("one more")


@pytest.mark.parametrize("password", ["password", "PASSWORD", "12345678", "qwertyuiop"])
def test_what_is_guessed_first_is_known(password: str) -> None:
    assert HASHER.is_common(password)


def test_anything_else_is_not() -> None:
    assert not HASHER.is_common(base64.b64encode(b"some random text").decode())
