"""What is gzip by its first bytes is unpacked, within bounds."""

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.formats.packed import Unpacking, unpacked, unpacking
from domain.errors import UnexpectedContent

TEXT = b"symbol,price\na,1\n"
#: Without a time in it, so that every process names the tests the same.
PACKED = gzip.compress(TEXT, mtime=0)


@given(st.binary(), st.integers(1, 9), st.integers(0, 3))
def test_a_body_is_itself_or_what_is_in_it(body: bytes, level: int, zeros: int) -> None:
    packed = gzip.compress(body, level) + b"\0" * zeros

    assert unpacked(packed) == body
    assert unpacked(TEXT + body) == TEXT + body
    assert unpacked(packed[: len(packed) - zeros] * 2) == body * 2


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_file_is_read_as_what_is_in_it(size: int) -> None:
    for content in (TEXT, PACKED):
        file = unpacking(io.BytesIO(content), 1000)

        assert b"".join(iter(lambda: file.read(size), b"")) == TEXT  # noqa: B023 - called at once


@pytest.mark.parametrize(
    ("packed", "code"),
    [
        (PACKED[:-9], "incomplete"),
        (PACKED[:3], "incomplete"),
        (PACKED[:-8] + b"\0" * 8, "bad_encoding"),
        (PACKED[:10] + b"\xff" * 20, "bad_encoding"),
        (PACKED + b"more", "bad_encoding"),
    ],
)
def test_what_is_damaged_or_cut_short_is_refused(packed: bytes, code: str) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        unpacked(packed)

    assert unexpected.value.code == code


def test_what_is_larger_than_may_be_is_refused() -> None:
    file = Unpacking(io.BytesIO(gzip.compress(b"x" * 3_000_000)), 2_000_000)

    with pytest.raises(UnexpectedContent, match="more than 1 MiB") as unexpected:
        while file.read(100_000):
            pass

    assert unexpected.value.code == "too_large"
