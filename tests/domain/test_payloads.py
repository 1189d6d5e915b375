"""Payloads: which of them a replay reads again, and when two batches hold the same."""

from hypothesis import given
from hypothesis import strategies as st

from domain.builtin.posts import Post
from domain.payloads import Batch, Receipt, replayed
from domain.reports import Rejection


def receipt(number: int, job_id: str, **changed: object) -> Receipt:
    """A receipt whose fetch was committed, of a body that never came before."""
    plain = {"body": str(number), "merged": True, **changed}
    return Receipt(id=number, job_id=job_id, **plain)  # type: ignore[arg-type]


def numbers(receipts: list[Receipt], only: int | None = None) -> list[int]:
    """Which receipts are read again."""
    return [found.id for found in replayed(receipts, only)]


def test_nothing_is_read_again_when_nothing_waits() -> None:
    assert numbers([receipt(1, "a"), receipt(2, "b", merged=False)]) == []


def test_a_fetch_of_which_a_record_waits_is_read_whole() -> None:
    pages = [receipt(1, "a"), receipt(2, "a", waiting=3), receipt(3, "a")]

    assert numbers(pages) == [1, 2, 3]


def test_what_was_committed_before_is_not_read_and_what_was_since_is() -> None:
    received = [receipt(1, "a"), receipt(2, "b", waiting=1), receipt(3, "c")]

    assert numbers(received) == [2, 3]


def test_what_was_never_committed_is_read_only_when_it_waits() -> None:
    received = [
        receipt(1, "a", merged=False, waiting=1),
        receipt(2, "b", merged=False),
        receipt(3, "c", merged=False, waiting=1),
    ]

    assert numbers(received) == [1, 3]


def test_an_attempt_that_was_not_committed_does_not_come_with_one_that_was() -> None:
    received = [receipt(1, "a", merged=False), receipt(2, "a", waiting=1)]

    assert numbers(received) == [2]


def test_only_one_payload_can_be_meant() -> None:
    received = [
        receipt(1, "a", waiting=1),
        receipt(2, "b", waiting=1, merged=False),
        receipt(3, "c", waiting=1, merged=False),
    ]

    assert numbers(received, only=2) == [2]
    assert numbers(received, only=1) == [1]
    assert numbers(received, only=4) == []


def test_a_body_that_came_again_since_is_read_as_it_came_last() -> None:
    received = [
        receipt(1, "a", body="same", waiting=1),
        receipt(2, "b", body="same"),
        receipt(3, "c", body="other"),
        receipt(4, "d", body="same"),
    ]

    assert numbers(received) == [1, 3, 4]


@given(st.data())
def test_what_a_replay_reads_ends_as_if_all_since_were_read(data: st.DataObject) -> None:
    received = data.draw(
        st.lists(
            st.builds(
                Receipt,
                id=st.just(0),
                job_id=st.sampled_from("abc"),
                body=st.sampled_from("xyz"),
                merged=st.booleans(),
                waiting=st.integers(0, 1),
            ),
            max_size=8,
        )
    )
    received = [
        Receipt(id=n, job_id=r.job_id, body=r.body, merged=r.merged, waiting=r.waiting)
        for n, r in enumerate(received, start=1)
    ]

    read = replayed(received)

    assert [r.id for r in read] == sorted({r.id for r in read})
    assert {r.id for r in received if r.waiting} <= {r.id for r in read}
    if read:
        since = [r for r in received if r.merged and r.id >= read[0].id]
        # Each body stands for keys of its own: whoever wrote them last is the same.
        last = {r.body: r.id for r in since}
        assert {r.body: r.id for r in read if r.merged} == last


def test_batches_that_hold_the_same_are_equal_wherever_it_stood() -> None:
    records, rejections = [Post(1, 1, "t", "b")], [Rejection("/1", "is bad")]
    batch = Batch(records, rejections, "/{}".format)

    assert batch == Batch(records, rejections)
    assert batch != Batch(records)
