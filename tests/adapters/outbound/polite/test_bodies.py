"""A body is unpacked within bounds, and completely or not at all (U14, U15, U16)."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.polite.bodies import (
    MAX_REFUSAL,
    gunzip,
    is_packed,
    mentions_limit,
    unpack_start,
)
from adapters.outbound.polite.failures import RetryableError
from domain.errors import SourceTimedOut, UnexpectedContent

MIB = 1024 * 1024
PLACE = "http://example.com/posts"


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_unpacking_undoes_packing_however_many_members(parts: list[bytes]) -> None:
    packed = b"".join(gzip.compress(part) for part in parts)

    assert gunzip(packed, 100 * MIB, PLACE) == b"".join(parts)


def test_a_member_for_each_record_is_unpacked() -> None:
    packed = gzip.compress(b"{}\n") * 30_000

    assert gunzip(packed, 100 * MIB, PLACE) == b"{}\n" * 30_000


def test_unpacking_ends_at_the_deadline() -> None:
    packed, times = gzip.compress(b"") * 30_000, iter([False, False, True])

    with pytest.raises(SourceTimedOut):
        gunzip(packed, 100 * MIB, PLACE, lambda: next(times))


def test_a_body_of_many_slices_is_unpacked() -> None:
    body = bytes(range(256)) * 4096

    assert gunzip(gzip.compress(body, 0), 100 * MIB, PLACE) == body


@given(st.data())
def test_a_body_cut_anywhere_is_incomplete(data: st.DataObject) -> None:
    packed = gzip.compress(b"[" + b'"abc",' * 100 + b'"d"]')
    length = data.draw(st.integers(1, len(packed) - 1))

    with pytest.raises(RetryableError) as failure:
        gunzip(packed[:length], 100 * MIB, PLACE)

    assert failure.value.error.code == "incomplete"


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"[1, 2, 3]", id="plain"),
        pytest.param(zlib.compress(b"[1]"), id="deflate"),
        pytest.param(gzip.compress(b"[1]") + b"garbage", id="trailing garbage"),
    ],
)
def test_a_body_that_is_not_gzip_is_recognised(packed: bytes) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        gunzip(packed, 100 * MIB, PLACE)

    assert unexpected.value.code == "bad_encoding"


@given(st.integers(1, 3000), st.integers(0, 3000))
def test_zero_bytes_behind_a_whole_body_mean_nothing(behind: int, between: int) -> None:
    one, two = gzip.compress(b"[1, "), gzip.compress(b"2]")

    assert gunzip(one + bytes(between) + two + bytes(behind), MIB, PLACE) == b"[1, 2]"


def test_zero_bytes_in_place_of_the_rest_do_not_make_a_body_whole() -> None:
    packed = gzip.compress(b"[1, 2, 3]")

    with pytest.raises((RetryableError, UnexpectedContent)):
        gunzip(packed[:-8] + bytes(512), MIB, PLACE)


@pytest.mark.parametrize(
    ("said", "limited"),
    [
        (b'{"message": "You have exceeded a secondary rate limit. Please wait."}', True),
        (b'{"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}', True),
        (b"<Code>Throttling</Code><Message>Rate exceeded</Message>", True),
        (b"You have triggered an abuse detection mechanism", True),
        (b"Too Many Requests", True),
        (b'{"message": "Must have admin rights to Repository."}', False),
        (b"the quota of apples is unlimited", False),
        (b"", False),
    ],
)
def test_a_refusal_may_speak_of_a_limit(said: bytes, limited: bool) -> None:
    assert mentions_limit(said) is limited


def test_the_beginning_of_a_refusal_is_unpacked_if_it_can_be() -> None:
    packed = gzip.compress(b"rate limit" + bytes(100_000))

    assert unpack_start(packed[:-10], "gzip").startswith(b"rate limit")
    assert len(unpack_start(packed, "gzip")) == MAX_REFUSAL
    assert unpack_start(b"rate limit", "gzip") == unpack_start(b"rate limit", "") == b"rate limit"


def test_a_wrong_checksum_is_damage() -> None:
    packed = bytearray(gzip.compress(b"[1, 2, 3]"))
    packed[-5] ^= 1

    with pytest.raises(UnexpectedContent) as unexpected:
        gunzip(bytes(packed), 100 * MIB, PLACE)

    assert unexpected.value.code == "bad_encoding"


@pytest.mark.parametrize("excess", [0, 1])
def test_the_limit_itself_is_allowed_and_a_byte_more_is_not(excess: int) -> None:
    packed = gzip.compress(bytes(5000 + excess))

    if excess:
        with pytest.raises(UnexpectedContent) as unexpected:
            gunzip(packed, 5000, PLACE)
        assert unexpected.value.code == "too_large"
    else:
        assert len(gunzip(packed, 5000, PLACE)) == 5000


def test_a_small_body_may_unpack_to_a_mebibyte_whatever_its_ratio() -> None:
    packed = gzip.compress(bytes(MIB))

    assert len(packed) * 200 < MIB
    assert len(gunzip(packed, 100 * MIB, PLACE)) == MIB


def test_beyond_a_mebibyte_the_ratio_is_bounded() -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        gunzip(gzip.compress(bytes(4 * MIB)), 100 * MIB, PLACE)

    assert unexpected.value.code == "too_large"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("", False),
        ("identity", False),
        ("none", False),
        ("utf-8", False),
        ("UTF8", False),
        ("aws-chunked", False),
        ("aws-chunked, identity", False),
        ("gzip", True),
        ("GZIP ", True),
        ("x-gzip", True),
        ("identity, gzip", True),
        ("aws-chunked,gzip", True),
    ],
)
def test_plain_and_gzip_are_understood(encoding: str, packed: bool) -> None:
    assert is_packed(encoding, PLACE) is packed


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "deflate", "utf-16"])
def test_no_other_encoding_is(encoding: str) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        is_packed(encoding, PLACE)

    assert unexpected.value.code == "unsupported_encoding"
