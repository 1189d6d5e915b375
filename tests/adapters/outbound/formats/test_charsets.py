"""Text comes to UTF-8 by its bytes and its label, whatever pieces it comes in."""

import codecs
import contextlib
from encodings import aliases

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.outbound.formats.charsets import (
    HEAD,
    Recoder,
    charset_named,
    json_to_utf8,
    to_utf8,
)
from domain.errors import UnexpectedContent

LABELLED = "application/json; charset={}".format
NO_CHARSETS = (
    "idna", "punycode", "unicode_escape", "raw-unicode-escape", "undefined", "rot13", "base64",
    "hex", "zlib", "aliases", "utf8mb4", "none", "a b", "ü", "x" * 100, "mbcs", "../x", "",
)  # fmt: skip
#: Charsets in which the text below can be written, with what tells them from one another.
CYRILLIC = ("windows-1251", "koi8-r", "iso-8859-5", "cp866", "utf-8", "utf-7", "utf-16", "utf-32")
JAPANESE = ("iso-2022-jp", "shift_jis", "euc-jp", "gb18030", "utf-16be", "utf-16le", "utf-32le")
LATIN = ("iso-8859-1", "windows-1252", "latin-1", "iso-8859-15", "cp1252")
TEXTS = {"Приветъ,мир": CYRILLIC, "日本語,テキスト,abc": JAPANESE, "Café,naïve": LATIN}
WRITTEN = [(text, charset) for text, charsets in TEXTS.items() for charset in charsets]


def chunked(body: bytes, size: int, content_type: str) -> bytes:
    """A table recoded in pieces of this size."""
    recode = Recoder(body[:HEAD], content_type)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join([*map(recode, pieces), recode(b"", last=True)])


@pytest.mark.parametrize(("text", "charset"), WRITTEN)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_a_table_is_read_by_its_label_whatever_pieces_it_comes_in(
    text: str, charset: str, size: int
) -> None:
    table = f"symbol,name\n{text}\n" * 20

    assert chunked(table.encode(charset), size, LABELLED(charset)) == table.encode()


@pytest.mark.parametrize(("text", "charset"), WRITTEN)
def test_json_is_read_by_its_label_where_it_is_not_utf8(text: str, charset: str) -> None:
    body = f'[{{"name":"{text}"}}]'

    assert json_to_utf8(body.encode(charset), LABELLED(charset)) == body.encode()
    assert json_to_utf8(body.encode(), LABELLED(charset)) == body.encode()


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ['[{"name":"é"}]', "[]", "{}"])
@pytest.mark.parametrize("label", ["", "utf-8", "utf-16", "iso-8859-1"])
def test_json_of_wide_characters_is_detected_by_its_zeros(
    charset: str, text: str, label: str
) -> None:
    assert json_to_utf8(text.encode(charset), LABELLED(label)) == text.encode()


@pytest.mark.parametrize(
    ("charset", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
    ],
)
@pytest.mark.parametrize("label", ["utf-8", "iso-8859-1", "utf-16", "windows-1251", "nonsense"])
def test_a_byte_order_mark_counts_more_than_any_label(
    charset: str, mark: bytes, label: str
) -> None:
    body = mark + '["é"]'.encode(charset)

    assert to_utf8(body, LABELLED(label)) == '["é"]'.encode()
    assert json_to_utf8(body, LABELLED(label)) == '["é"]'.encode()


@pytest.mark.parametrize("label", ["iso-8859-1", "ISO8859-1", "latin1", "l1"])
def test_latin_1_is_read_as_those_who_write_it_mean_it(label: str) -> None:
    assert to_utf8(b"\x80 \x93x\x94 \x81 \xe9", LABELLED(label)) == "€ “x” \x81 é".encode()


@pytest.mark.parametrize(
    ("label", "body", "text"),
    [
        ("shift_jis", b"\x87\x40", "①"),
        ("euc-kr", b"\x8c\x63", "똠"),
        ("gb2312", "龍€".encode("gb18030"), "龍€"),
        ("iso-8859-9", b"\x80", "€"),
        ("tis-620", b"\x80", "€"),
    ],
)
def test_other_labels_mean_more_than_they_say_too(label: str, body: bytes, text: str) -> None:
    assert to_utf8(body, LABELLED(label)) == text.encode()


def test_the_byte_order_of_a_wide_charset_without_a_mark_is_detected() -> None:
    for charset in ("utf-16", "utf-32"):
        for end in ("le", "be"):
            body = "symbol,名\n".encode(f"{charset}-{end}")
            assert to_utf8(body, LABELLED(charset)) == "symbol,名\n".encode()


def test_a_table_that_says_it_is_wide_and_is_not_is_utf8() -> None:
    assert to_utf8("symbol,é\n".encode(), LABELLED("utf-16")) == "symbol,é\n".encode()


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize("label", NO_CHARSETS)
def test_what_is_no_charset_of_text_has_no_name_here(label: str) -> None:
    assert charset_named(label) is None


@pytest.mark.parametrize("label", [name for name in NO_CHARSETS if name and " " not in name])
@pytest.mark.parametrize("read", [to_utf8, json_to_utf8])
def test_an_unknown_charset_is_refused_unless_the_bytes_are_utf8(
    label: str, read: type[object]
) -> None:
    assert read('["é"]'.encode(), LABELLED(label)) == '["é"]'.encode()  # type: ignore[call-arg]
    with pytest.raises(UnexpectedContent, match="is unknown") as unexpected:
        read(b'["\xe9"]', LABELLED(label))  # type: ignore[call-arg]

    assert unexpected.value.code == "unknown_charset"


def test_a_file_in_an_unknown_charset_is_refused_before_it_is_read() -> None:
    with pytest.raises(UnexpectedContent, match="charset idna is unknown"):
        Recoder(b"symbol", LABELLED("idna"))


def test_json_that_is_neither_utf8_nor_what_its_label_says_is_refused() -> None:
    with pytest.raises(UnexpectedContent, match="neither that nor UTF-8") as unexpected:
        json_to_utf8(b'["\xe9"]', LABELLED("utf-16"))

    assert unexpected.value.code == "wrong_charset"


@pytest.mark.parametrize(
    ("body", "label"),
    [
        (b'["\x81"]', "windows-1252"),
        (b'["\x81\x20"]', "shift_jis"),
        (b'["\x1b$B\xff\xff"]', "iso-2022-jp"),
        (b'["\xff"]', "utf-8"),
        (b'["\xff"]', ""),
        ('["\ud800x"]'.encode("utf-16", "surrogatepass"), "utf-16"),
    ],
)
def test_what_is_no_character_stays_none_and_costs_nothing_else(body: bytes, label: str) -> None:
    text = json_to_utf8(body, LABELLED(label))

    assert text.startswith(b'["')
    with pytest.raises(UnicodeDecodeError):
        text.decode()


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-be", "shift_jis", "gb18030", "euc-jp"])
def test_half_a_character_at_the_end_is_incomplete(charset: str) -> None:
    for read in (to_utf8, json_to_utf8):
        with pytest.raises(UnexpectedContent) as unexpected:
            read('["a","日'.encode(charset)[:-1], LABELLED(charset))

        assert unexpected.value.code == "incomplete"


names = st.sampled_from([*aliases.aliases, *aliases.aliases.values(), *NO_CHARSETS]) | st.text()
labels = st.builds(
    "{}{}{}".format,
    st.sampled_from([";charset=", "; Charset = '", 'a;charset="']),
    names,
    st.sampled_from(["", '"', "; q=1"]),
)


@settings(max_examples=400)
@given(labels, st.sampled_from([b"[]", b"{}", b"a,b\n", b""]) | st.binary(max_size=60))
def test_no_label_is_a_failure_of_ours(label: str, body: bytes) -> None:
    for read in (to_utf8, json_to_utf8):
        with contextlib.suppress(UnexpectedContent):
            assert isinstance(read(body, label), bytes)
