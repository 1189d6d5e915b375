"""JSON text is brought to UTF-8, and cut into elements even where it is broken (U23, U24)."""

import codecs
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.formats.charsets import to_utf8
from adapters.outbound.formats.json import elements
from domain.errors import UnexpectedContent

JSON = "application/json"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(values, max_size=8))
def test_the_elements_of_a_sound_list_are_its_elements(items: list[object]) -> None:
    text = msgspec.json.encode(items)

    assert list(elements(text)) == [msgspec.json.encode(item) for item in items]


@given(st.binary(max_size=300))
def test_any_bytes_are_cut_or_refused(junk: bytes) -> None:
    text = b"[" + junk

    try:
        cut = list(elements(text))
    except UnexpectedContent:
        return

    assert sum(map(len, cut)) + max(0, len(cut) - 1) + 2 <= len(text)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (b"[]", []),
        (b" [ ] ", []),
        (b"[1]", [b"1"]),
        (b"[NaN,{},-Infinity]", [b"NaN", b"{}", b"-Infinity"]),
        (b"[1,,2]", [b"1", b"", b"2"]),
        (b"[1,]", [b"1"]),
        (b"[1, ]", [b"1"]),
        (b"[,]", [b""]),
        (rb'["a,\"]b",{"c":"}"}]', [rb'"a,\"]b"', rb'{"c":"}"}']),
        (b'[{"a":[1,{"b":2}]},3]', [b'{"a":[1,{"b":2}]}', b"3"]),
    ],
)
def test_broken_elements_are_elements(text: bytes, cut: list[bytes]) -> None:
    assert list(elements(text)) == cut


@pytest.mark.parametrize(
    "text",
    [b"[", b"[1", b"[1,", b'["a', b'["a\\', b'[{"a":1}', b'[{"a":1', b'[{"a":"x}]', b"[[1]"],
)
def test_a_list_that_does_not_end_is_incomplete(text: bytes) -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        list(elements(text))

    assert unexpected.value.code == "incomplete"


def test_a_list_that_ends_twice_is_no_list() -> None:
    with pytest.raises(UnexpectedContent, match="more text after"):
        list(elements(b"[1] [2]"))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        list(elements(b"[" * 100_000 + b"]" * 100_000))

    assert unexpected.value.code == "too_deep"


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b'\\"' * 500_000, id="escapes outside a string"),
        pytest.param(b'"' + b'\\"' * 500_000, id="escapes inside a string"),
        pytest.param(b'{"' * 300_000, id="objects and strings"),
        pytest.param(b"{" + b'"\\' * 300_000, id="escapes in an object"),
        pytest.param(b"," * 900_000, id="commas"),
    ],
)
def test_no_text_takes_long(hostile: bytes) -> None:
    began = time.process_time()

    try:
        for _ in elements(b"[" + hostile):
            pass
    except UnexpectedContent:
        pass

    assert time.process_time() - began < 3.0


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("é".encode(), JSON, "é".encode()),
        (codecs.BOM_UTF8 + "é".encode(), JSON, "é".encode()),
        ("é".encode("utf-16"), JSON, "é".encode()),
        ("é".encode("utf-16"), JSON + "; charset=utf-16", "é".encode()),
        (codecs.BOM_UTF16_BE + "é".encode("utf-16-be"), JSON, "é".encode()),
        ("é".encode("utf-32"), JSON, "é".encode()),
        ("é".encode("utf-16-be"), JSON + '; charset="UTF-16BE"', "é".encode()),
        (b"\xe9", JSON + "; charset=ISO-8859-1", "é".encode()),
        (b"\x80", JSON + ";charset=windows-1252", "€".encode()),
        (b"\xe9", JSON + "; charset=utf-8", b"\xe9"),
        (b"\xe9", JSON, b"\xe9"),
    ],
)
def test_a_body_is_recoded_by_its_mark_or_its_charset(
    body: bytes, content_type: str, text: bytes
) -> None:
    assert to_utf8(body, content_type) == text


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("\ud800x".encode("utf-16", "surrogatepass"), JSON),
        (b"\x81", JSON + "; charset=windows-1252"),
    ],
)
def test_what_is_no_character_stays_invalid(body: bytes, content_type: str) -> None:
    with pytest.raises(UnicodeDecodeError):
        to_utf8(body, content_type).decode()


def test_half_a_character_at_the_end_is_incomplete() -> None:
    with pytest.raises(UnexpectedContent) as unexpected:
        to_utf8("é".encode("utf-16")[:-1], JSON)

    assert unexpected.value.code == "incomplete"
