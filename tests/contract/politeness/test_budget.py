"""Contract of `Budget`: one for each host, shared by all callers, with exact waiting times."""

import asyncio
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.politeness import BREAKER_MINIMUM, BREAKER_OPEN_S, Admission, Host
from tests.contract.backends import DEFAULT_RATE, RATES, Backend, Open

STRICT = "strict.example"


async def _spend_all(backend: Backend, host: str) -> int:
    spent = 0
    while (await backend.budget.spend(host))[0] is Admission.GO:
        spent += 1
    return spent


async def test_a_host_without_requests_has_the_initial_state(backend: Backend) -> None:
    assert await backend.budget.state("new.example") == Host()


async def test_the_first_request_is_allowed_at_once(backend: Backend) -> None:
    assert await backend.budget.spend(STRICT) == (Admission.GO, backend.clock.now())


async def test_a_named_host_has_its_own_rate_and_any_other_the_default(backend: Backend) -> None:
    assert await _spend_all(backend, STRICT) == RATES[STRICT].burst
    assert await _spend_all(backend, "other.example") == DEFAULT_RATE.burst


async def test_a_spent_budget_returns_the_time_of_the_next_request(backend: Backend) -> None:
    await _spend_all(backend, STRICT)

    verdict, at = await backend.budget.spend(STRICT)
    backend.clock.advance(at - backend.clock.now() - timedelta(milliseconds=1))
    too_early, _ = await backend.budget.spend(STRICT)
    backend.clock.advance(at - backend.clock.now())
    in_time, _ = await backend.budget.spend(STRICT)

    assert (verdict, too_early, in_time) == (Admission.BUDGET, Admission.BUDGET, Admission.GO)


async def test_hosts_do_not_share(backend: Backend) -> None:
    await _spend_all(backend, STRICT)

    assert (await backend.budget.spend("other.example"))[0] is Admission.GO


async def test_a_blocked_host_is_left_alone_until_then(backend: Backend) -> None:
    until = backend.clock.now() + timedelta(seconds=90)
    await backend.budget.block(STRICT, until)

    assert await backend.budget.spend(STRICT) == (Admission.BLOCKED, until)
    backend.clock.advance(90)
    assert (await backend.budget.spend(STRICT))[0] is Admission.GO


async def test_a_shorter_block_does_not_shorten_a_longer_one(backend: Backend) -> None:
    until = backend.clock.now() + timedelta(seconds=90)
    await backend.budget.block(STRICT, until)

    await backend.budget.block(STRICT, backend.clock.now() + timedelta(seconds=1))

    assert await backend.budget.spend(STRICT) == (Admission.BLOCKED, until)


async def _fail(backend: Backend, host: str) -> None:
    for _ in range(BREAKER_MINIMUM):
        assert (await backend.budget.spend(host))[0] is Admission.GO
        await backend.budget.record_outcome(host, ok=False)


async def test_a_failing_host_opens_its_breaker(backend: Backend) -> None:
    await _fail(backend, "other.example")

    verdict, at = await backend.budget.spend("other.example")

    assert verdict is Admission.BREAKER
    assert at == backend.clock.now() + timedelta(seconds=BREAKER_OPEN_S)


async def test_one_probe_decides_whether_the_breaker_closes(backend: Backend) -> None:
    await _fail(backend, "other.example")
    backend.clock.advance(BREAKER_OPEN_S)

    probe, _ = await backend.budget.spend("other.example")
    second, _ = await backend.budget.spend("other.example")
    await backend.budget.record_outcome("other.example", ok=True)
    after, _ = await backend.budget.spend("other.example")

    assert (probe, second, after) == (Admission.GO, Admission.BREAKER, Admission.GO)


async def test_retries_have_a_budget_of_their_own(backend: Backend) -> None:
    verdicts = [(await backend.budget.spend("other.example", retry=True))[0] for _ in range(4)]

    assert verdicts == [Admission.GO] * 3 + [Admission.RETRIES]


async def test_the_state_shows_what_was_recorded(backend: Backend) -> None:
    await backend.budget.spend(STRICT)
    await backend.budget.record_outcome(STRICT, ok=True)
    await backend.budget.record_outcome(STRICT, ok=False)

    state = await backend.budget.state(STRICT)

    assert state.outcomes == "10"
    assert state.arrival_s > backend.clock.now().timestamp()


# ---------------------------------------------------------------- many at once


async def test_of_many_that_ask_at_once_no_more_go_than_may(backend: Backend) -> None:
    asked = await asyncio.gather(*(backend.budget.spend(STRICT) for _ in range(20)))
    more = await asyncio.gather(*(backend.budget.spend("other.example") for _ in range(30)))

    assert [verdict for verdict, _ in asked].count(Admission.GO) == RATES[STRICT].burst
    assert [verdict for verdict, _ in more].count(Admission.GO) == DEFAULT_RATE.burst


@settings(max_examples=10)
@given(st.lists(st.sampled_from([0.1, 0.5, 2.0, 3.3, 10.0]), min_size=1, max_size=8))
async def test_no_window_holds_more_than_agreed_however_many_ask_at_once(
    open_backend: Open, pauses: list[float]
) -> None:
    rate, left = RATES[STRICT], list[datetime]()
    async with open_backend() as backend:
        for pause in pauses:
            backend.clock.advance(pause)
            asked = await asyncio.gather(*(backend.budget.spend(STRICT) for _ in range(4)))
            left += [backend.clock.now() for verdict, _ in asked if verdict is Admission.GO]

    window = timedelta(seconds=rate.window_s)
    for first in left:
        assert len([time for time in left if first <= time < first + window]) <= rate.count


async def test_of_many_that_ask_after_an_open_breaker_one_is_the_probe(backend: Backend) -> None:
    await _fail(backend, "other.example")
    backend.clock.advance(BREAKER_OPEN_S)

    asked = await asyncio.gather(*(backend.budget.spend("other.example") for _ in range(10)))

    assert [verdict for verdict, _ in asked].count(Admission.GO) == 1


async def test_no_outcome_of_many_recorded_at_once_is_lost(backend: Backend) -> None:
    until = backend.clock.now() + timedelta(seconds=90)

    await asyncio.gather(
        *(backend.budget.record_outcome("other.example", ok=True) for _ in range(7)),
        *(backend.budget.record_outcome("other.example", ok=False) for _ in range(2)),
        backend.budget.block("other.example", until),
        backend.budget.block("other.example", until - timedelta(seconds=60)),
    )

    state = await backend.budget.state("other.example")
    assert sorted(state.outcomes) == list("001111111")
    assert state.blocked_until_s == until.timestamp()


@settings(max_examples=25)
@given(st.lists(st.sampled_from([0.0, 0.001, 0.35, 1.0, 7.3]), min_size=1, max_size=12))
async def test_a_request_at_the_returned_time_is_allowed(
    open_backend: Open, pauses: list[float]
) -> None:
    async with open_backend() as backend:
        for pause in pauses:
            backend.clock.advance(pause)
            verdict, at = await backend.budget.spend(STRICT)
            if verdict is not Admission.GO:
                backend.clock.advance(at - backend.clock.now())
                assert (await backend.budget.spend(STRICT))[0] is Admission.GO


async def test_what_is_left_is_what_would_be_let_go_now_and_asking_spends_nothing(
    backend: Backend,
) -> None:
    lefts = []
    for _ in range(RATES[STRICT].burst + 1):
        lefts.append(await backend.budget.left(STRICT))
        await backend.budget.spend(STRICT)
    full = await backend.budget.left("other.example")

    assert lefts == list(range(RATES[STRICT].burst, -1, -1))
    assert full == await _spend_all(backend, "other.example")
    assert await backend.budget.left("other.example") == 0


async def test_nothing_is_left_of_a_blocked_host(backend: Backend) -> None:
    await backend.budget.block(STRICT, backend.clock.now() + timedelta(minutes=1))

    assert await backend.budget.left(STRICT) == 0
