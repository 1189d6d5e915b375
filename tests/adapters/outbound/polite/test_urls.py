"""Addresses are read strictly, and only the same host is followed."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outbound.polite.urls import parse, without_secrets
from domain.errors import SourceRefused


@pytest.mark.parametrize(
    ("text", "key", "label"),
    [
        ("https://API.example.com", "api.example.com", "https://api.example.com/"),
        ("http://example.com:80/a?token=x", "example.com", "http://example.com/a"),
        ("http://example.com:443/", "example.com:443", "http://example.com:443/"),
        ("HTTPS://example.com:8443/a#b", "example.com:8443", "https://example.com:8443/a"),
        ("http://[::1]:8900/posts", "[::1]:8900", "http://[::1]:8900/posts"),
        ("http://example.com?a=/b", "example.com", "http://example.com/"),
    ],
)
def test_an_address_has_a_budget_key_and_a_harmless_name(text: str, key: str, label: str) -> None:
    url = parse(text)

    assert (url.key, url.label, url.text) == (key, label, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "file:///etc/passwd",
        "gopher://example.com",
        "http://",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com/a b",
        "http://example.com/a\r\nX-Smuggled: yes",
        "http://ü@example.com/",
        "http://ex\u2100mple.com/",
        "http://fa\u00df.example/",
        f"http://{'ä' * 80}.example/",
        "http://example.com/ä",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://[::1/",
    ],
)
def test_anything_but_a_plain_address_is_refused(text: str) -> None:
    with pytest.raises(SourceRefused) as refused:
        parse(text)

    assert refused.value.code == "url_refused"


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("/posts", "http://example.com/posts"),
        ("?page=2", "http://example.com/a/b?page=2"),
        ("c", "http://example.com/a/c"),
        ("//EXAMPLE.com/x", "http://EXAMPLE.com/x"),
        ("http://example.com:80/x", "http://example.com:80/x"),
        ("https://example.com/x", "https://example.com/x"),
    ],
)
def test_a_reference_on_the_same_host_is_followed(reference: str, text: str) -> None:
    url = parse("http://example.com/a/b").leads_to(reference)

    assert url is not None
    assert url.text == text


@pytest.mark.parametrize(
    "reference",
    [
        "http://other.example.com/",
        "//other.example.com/",
        "http://example.com:8080/",
        "https://example.com:8443/",
        "http://example.com@127.0.0.1/",
        "http://example.com.evil.test/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[::ffff:127.0.0.1]/",
        "\\\\evil.test\\share",
        "http://[broken/",
    ],
)
def test_a_reference_elsewhere_is_not_followed(reference: str) -> None:
    assert parse("http://example.com/a/b").leads_to(reference) is None


@pytest.mark.parametrize(
    ("base", "reference", "text"),
    [
        ("https://example.com/", "http://example.com/2", "https://example.com/2"),
        ("https://example.com/", "http://EXAMPLE.com:80/2?a=b#c", "https://example.com/2?a=b#c"),
        ("https://example.com/", "http://example.com:443/2", "https://example.com/2"),
        ("https://example.com/", "http://example.com", "https://example.com"),
        ("https://example.com:8443/", "http://example.com:8443/2", "https://example.com:8443/2"),
        ("https://example.com/", "http://example.com:8080/2", None),
        ("https://example.com:8443/", "http://example.com/2", None),
        ("http://example.com/", "https://example.com/2", "https://example.com/2"),
        ("http://example.com:8080/", "https://example.com:8080/", None),
    ],
)
def test_encryption_is_never_given_up(base: str, reference: str, text: str | None) -> None:
    there = parse(base).leads_to(reference)

    assert (there and there.text) == text
    assert there is None or not base.startswith("https:") or there.scheme == "https"


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("/a b.json", "http://example.com/a%20b.json"),
        (" /x ", "http://example.com/x"),
        ("/ä?q=ü#é", "http://example.com/%C3%A4?q=%C3%BC#%C3%A9"),
        ("/a%20b%", "http://example.com/a%20b%"),
        ('/a"<b>|^{}`', "http://example.com/a%22%3Cb%3E%7C%5E%7B%7D%60"),
        ("http://EXAMPLE.com/ä", "http://EXAMPLE.com/%C3%A4"),
        ("/a\tb", None),
        ("/a\x7fb", None),
        ("/a\\b", None),
        ("http://ex\u00e4mple.com/", None),
        ("//fa\u00df.example/", None),
    ],
)
def test_what_an_address_may_not_hold_is_percent_encoded_where_it_is_followed(
    reference: str, text: str | None
) -> None:
    there = parse("http://example.com/a/b").leads_to(reference)

    assert (there and there.text) == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20))
def test_whatever_is_encoded_is_what_was_meant(text: str) -> None:
    there = parse("http://example.com/").leads_to("/" + quote(text, safe=" "))

    assert there is not None
    assert unquote(there.text.removeprefix("http://example.com/")) == text.rstrip(" ")


@pytest.mark.parametrize(
    ("text", "ascii_text"),
    [
        ("http://bücher.example/a", "http://xn--bcher-kva.example/a"),
        ("https://BÜCHER.example:8443/", "https://xn--bcher-kva.example:8443/"),
        ("http://例え.テスト/", "http://xn--r8jz45g.xn--zckzah/"),
    ],
)
def test_a_host_in_any_script_is_asked_by_its_ascii_name(text: str, ascii_text: str) -> None:
    url = parse(text)

    assert url.text == ascii_text
    assert url.leads_to(text) == url


@pytest.mark.parametrize(
    ("base", "reference", "others", "followed"),
    [
        ("http://a.example/", "http://b.example/x", {"b.example"}, True),
        ("http://a.example/", "https://b.example/x", {"b.example"}, True),
        ("https://a.example/", "https://b.example:8443/x", {"b.example:8443"}, True),
        ("https://a.example/", "https://s3.eu.b.example/x", {"*.b.example"}, True),
        ("https://a.example/", "https://s3.b.example:81/x", {"*.b.example:81"}, True),
        ("https://a.example/", "http://b.example/x", {"b.example"}, False),
        ("https://a.example/", "https://b.example:8443/x", {"b.example"}, False),
        ("https://a.example/", "https://b.example/x", {"*.b.example"}, False),
        ("https://a.example/", "https://evilb.example/x", {"b.example", "*.b.example"}, False),
        ("https://a.example/", "https://b.example/x", {"*.example.com"}, False),
        ("http://a.example/", "http://127.0.0.1/x", {"*.0.0.1.example"}, False),
    ],
)
def test_another_host_is_followed_when_it_is_named(
    base: str, reference: str, others: set[str], followed: bool
) -> None:
    assert (parse(base).leads_to(reference, others) is not None) is followed
    assert parse(base).leads_to(reference) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://a/b?api_key=s3cret&page=2", "http://a/b?api_key=***&page=2"),
        ("http://a/b?page=2&access_token=s&x=1#f", "http://a/b?page=2&access_token=***&x=1#f"),
        ("http://a/b?X-Amz-Signature=abc", "http://a/b?X-Amz-Signature=***"),
        ("http://a/b?Password=a%26b&sig=c", "http://a/b?Password=***&sig=***"),
        ("http://a/key=1?page=key", "http://a/key=1?page=key"),
        ("http://a/b?key=", "http://a/b?key="),
        ("http://a/b", "http://a/b"),
    ],
)
def test_a_url_is_kept_without_the_secrets_in_its_parameters(text: str, kept: str) -> None:
    assert parse(text).kept == without_secrets(text) == kept
