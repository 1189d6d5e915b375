"""Payloads: the receipts of a replay, and the equality of batches."""

import gzip
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from domain.builtin.posts import Post
from domain.payloads import Arrivals, Batch, Payload, Receipt, Replay, replayed, selected
from domain.reports import Rejection


def receipt(number: int, job_id: str, **changed: object) -> Receipt:
    """Return a receipt whose fetch was committed, of a body that never came before."""
    plain = {"body": str(number), "merged": True, **changed}
    return Receipt(id=number, job_id=job_id, **plain)  # type: ignore[arg-type]


def numbers(receipts: list[Receipt], only: int | None = None) -> list[int]:
    """Return which receipts are read again."""
    return [found.id for found in replayed(receipts, only)]


def test_what_is_read_again_is_what_was_committed_a_replay_or_a_walk_under_way() -> None:
    received = [
        receipt(1, "a"),
        receipt(2, "b", merged=False, waiting=1),
        receipt(3, "c", merged=False),
        receipt(4, "c", merged=False),
    ]

    read = [[r.id for r in selected(received, what)] for what in (None, Replay(), Arrivals(3))]

    assert read == [[1], [2], [3, 4]]


def test_where_the_first_arrival_counts_a_replay_reads_it_too() -> None:
    received = [
        receipt(1, "a", body="other"),
        receipt(2, "b", body="same", merged=False),
        receipt(3, "c", body="same"),
        receipt(4, "d", body="same"),
        receipt(5, "e", body="same", waiting=1),
    ]

    read = [[r.id for r in selected(received, Replay(), first)] for first in (False, True)]

    assert read == [[5], [3, 5]]


def test_nothing_is_replayed_without_rejected_records() -> None:
    assert numbers([receipt(1, "a"), receipt(2, "b", merged=False)]) == []


def test_a_fetch_with_a_rejected_record_is_replayed_completely() -> None:
    pages = [receipt(1, "a"), receipt(2, "a", waiting=3), receipt(3, "a")]

    assert numbers(pages) == [1, 2, 3]


def test_payloads_committed_since_are_replayed_and_earlier_ones_are_not() -> None:
    received = [receipt(1, "a"), receipt(2, "b", waiting=1), receipt(3, "c")]

    assert numbers(received) == [2, 3]


def test_an_uncommitted_payload_is_replayed_only_with_rejected_records() -> None:
    received = [
        receipt(1, "a", merged=False, waiting=1),
        receipt(2, "b", merged=False),
        receipt(3, "c", merged=False, waiting=1),
    ]

    assert numbers(received) == [1, 3]


def test_an_attempt_that_was_not_committed_does_not_come_with_one_that_was() -> None:
    received = [receipt(1, "a", merged=False), receipt(2, "a", waiting=1)]

    assert numbers(received) == [2]


def test_a_replay_can_be_limited_to_one_payload() -> None:
    received = [
        receipt(1, "a", waiting=1),
        receipt(2, "b", waiting=1, merged=False),
        receipt(3, "c", waiting=1, merged=False),
    ]

    assert numbers(received, only=2) == [2]
    assert numbers(received, only=1) == [1]
    assert numbers(received, only=4) == []


def test_a_body_that_arrived_again_is_replayed_at_its_last_arrival() -> None:
    received = [
        receipt(1, "a", body="same", waiting=1),
        receipt(2, "b", body="same"),
        receipt(3, "c", body="other"),
        receipt(4, "d", body="same"),
    ]

    assert numbers(received) == [1, 3, 4]


@given(st.data())
def test_a_replay_has_the_result_of_reading_everything_since(data: st.DataObject) -> None:
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
        # Each body has keys of its own, so only its last writer matters.
        last = {r.body: r.id for r in since}
        assert {r.body: r.id for r in read if r.merged} == last


def test_batches_with_equal_records_are_equal_whatever_their_places() -> None:
    records, rejections = [Post(1, 1, "t", "b")], [Rejection("/1", "is bad")]
    batch = Batch(records, rejections, "/{}".format)

    assert batch == Batch(records, rejections)
    assert batch != Batch(records)


def test_a_body_is_packed_when_it_begins_as_gzip() -> None:
    for body, packed in ((b"", False), (b"[]", False), (gzip.compress(b""), True)):
        assert (
            Payload(url="", body=body, received_at=datetime(2026, 1, 1, tzinfo=UTC)).is_packed
            is packed
        )
