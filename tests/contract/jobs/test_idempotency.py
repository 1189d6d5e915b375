"""Contract of `Idempotency`: one request, one job and one answer for each key."""

import asyncio
from datetime import timedelta

import pytest

from application.ports.jobs import ABANDONED, KEPT, Begun, SavedAnswer
from domain.errors import KeyInUse, KeyReused
from tests.contract.backends import Backend

MICROSECOND = timedelta(microseconds=1)
ANSWER = SavedAnswer(202, {"location": "/fetch/status/1", "x-é": "ü"}, b"\x00\xff not text")


async def begun(backend: Backend, key: str = "key", job_id: str = "job") -> Begun:
    """Begin the same request."""
    return await backend.idempotency.begin(key, "POST /fetch", job_id)


async def answered(backend: Backend, key: str = "key") -> None:
    """Return a request that has been answered."""
    await begun(backend, key)
    await backend.idempotency.end(key, ANSWER)


# ---------------------------------------------------------------- begin and end


async def test_the_first_request_makes_the_job_it_brings(backend: Backend) -> None:
    assert await begun(backend) == Begun("job")


async def test_the_same_request_again_gets_the_same_answer_and_job(backend: Backend) -> None:
    await answered(backend)

    assert await begun(backend, job_id="another") == Begun("job", ANSWER)
    assert await begun(backend, job_id="a third") == Begun("job", ANSWER)


async def test_a_key_whose_request_is_being_answered_is_in_use(backend: Backend) -> None:
    await begun(backend)

    with pytest.raises(KeyInUse):
        await begun(backend, job_id="another")


@pytest.mark.parametrize("has_answer", [False, True])
async def test_a_key_that_comes_with_another_request_is_refused(
    backend: Backend, has_answer: bool
) -> None:
    await begun(backend)
    if has_answer:
        await backend.idempotency.end("key", ANSWER)

    with pytest.raises(KeyReused):
        await backend.idempotency.begin("key", "POST /fetch/posts", "another")


async def test_keys_do_not_know_each_other(backend: Backend) -> None:
    await answered(backend, "one")

    assert await begun(backend, "two", "another") == Begun("another")
    assert await begun(backend, "One", "a third") == Begun("a third")


async def test_of_many_that_begin_at_once_one_does(backend: Backend) -> None:
    some = await asyncio.gather(
        *(begun(backend, job_id=f"job {number}") for number in range(8)), return_exceptions=True
    )

    assert [type(one) for one in some].count(Begun) == 1
    assert [type(one) for one in some].count(KeyInUse) == 7


# ---------------------------------------------------------------- abandoned


async def test_a_failed_request_may_be_tried_again(backend: Backend) -> None:
    await begun(backend)

    await backend.idempotency.abandon("key")

    assert await begun(backend, job_id="another") == Begun("another")


async def test_after_a_failure_the_key_may_be_used_for_another_request(
    backend: Backend,
) -> None:
    await begun(backend)
    await backend.idempotency.abandon("key")

    assert await backend.idempotency.begin("key", "POST /other", "another") == Begun("another")


async def test_a_stored_answer_is_not_removed(backend: Backend) -> None:
    await answered(backend)

    await backend.idempotency.abandon("key")

    assert await begun(backend) == Begun("job", ANSWER)


async def test_a_request_that_never_began_can_neither_end_nor_fail(backend: Backend) -> None:
    await backend.idempotency.end("key", ANSWER)
    await backend.idempotency.abandon("key")

    assert await begun(backend) == Begun("job")


async def test_a_released_request_is_begun_again_at_once_with_its_job(
    backend: Backend,
) -> None:
    await begun(backend)

    await backend.idempotency.release("key")

    assert await begun(backend, job_id="another") == Begun("job")
    with pytest.raises(KeyInUse):
        await begun(backend, job_id="a third")


async def test_a_released_request_keeps_its_key_from_others(backend: Backend) -> None:
    await begun(backend)
    await backend.idempotency.release("key")

    with pytest.raises(KeyReused):
        await backend.idempotency.begin("key", "POST /other", "another")


async def test_an_answer_outlasts_a_release_and_an_unknown_request_is_not_released(
    backend: Backend,
) -> None:
    await answered(backend)

    await backend.idempotency.release("key")
    await backend.idempotency.release("unknown")

    assert await begun(backend) == Begun("job", ANSWER)
    assert await begun(backend, "unknown", "its own") == Begun("its own")


# ---------------------------------------------------------------- interrupted


async def test_an_interrupted_request_is_begun_again_with_its_job(
    backend: Backend,
) -> None:
    await begun(backend)
    backend.clock.advance(ABANDONED - MICROSECOND)
    with pytest.raises(KeyInUse):
        await begun(backend, job_id="another")

    backend.clock.advance(MICROSECOND)

    assert await begun(backend, job_id="another") == Begun("job")


async def test_a_request_begun_again_is_being_answered_again(backend: Backend) -> None:
    await begun(backend)
    backend.clock.advance(ABANDONED)
    await begun(backend)

    backend.clock.advance(ABANDONED - MICROSECOND)
    with pytest.raises(KeyInUse):
        await begun(backend)
    backend.clock.advance(MICROSECOND)

    assert await begun(backend) == Begun("job")


async def test_of_many_that_repeat_an_interrupted_request_one_begins_it(backend: Backend) -> None:
    await begun(backend)
    backend.clock.advance(ABANDONED)

    some = await asyncio.gather(*(begun(backend) for _ in range(8)), return_exceptions=True)

    assert [one for one in some if not is_refused(one)] == [Begun("job")]


def is_refused(one: object) -> bool:
    """Return whether it was refused."""
    return type(one) is KeyInUse


async def test_an_interrupted_request_does_not_admit_another_one(backend: Backend) -> None:
    await begun(backend)
    backend.clock.advance(ABANDONED)

    with pytest.raises(KeyReused):
        await backend.idempotency.begin("key", "POST /other", "another")


async def test_an_answer_that_comes_late_is_an_answer(backend: Backend) -> None:
    await begun(backend)
    backend.clock.advance(ABANDONED * 2)

    await backend.idempotency.end("key", ANSWER)

    assert await begun(backend) == Begun("job", ANSWER)


# ---------------------------------------------------------------- expired


@pytest.mark.parametrize("has_answer", [False, True])
async def test_a_key_is_forgotten_when_its_time_is_over(backend: Backend, has_answer: bool) -> None:
    await begun(backend)
    if has_answer:
        await backend.idempotency.end("key", ANSWER)

    backend.clock.advance(KEPT)

    again = await backend.idempotency.begin("key", "POST /other", "another")
    assert again == Begun("another")


async def test_until_its_time_is_over_a_key_is_remembered(backend: Backend) -> None:
    await answered(backend)
    backend.clock.advance(KEPT - MICROSECOND)

    assert await begun(backend, job_id="another") == Begun("job", ANSWER)


async def test_forgetting_some_keys_forgets_no_others(backend: Backend) -> None:
    for number in range(25):
        await answered(backend, f"old {number}")
    backend.clock.advance(KEPT - MICROSECOND)
    await answered(backend, "young")
    backend.clock.advance(MICROSECOND)

    assert await begun(backend, "new", "another") == Begun("another")
    assert await begun(backend, "young", "another") == Begun("job", ANSWER)
    assert await begun(backend, "old 24", "another") == Begun("another")
