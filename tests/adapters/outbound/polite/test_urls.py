"""Addresses are read strictly, and only the same host is followed."""

import pytest

from adapters.outbound.polite.messages import next_link
from adapters.outbound.polite.urls import parse
from domain.errors import SourceRefused


@pytest.mark.parametrize(
    ("text", "key", "place"),
    [
        ("https://API.example.com", "api.example.com", "https://api.example.com/"),
        ("http://example.com:80/a?token=x", "example.com", "http://example.com/a"),
        ("http://example.com:443/", "example.com:443", "http://example.com:443/"),
        ("HTTPS://example.com:8443/a#b", "example.com:8443", "https://example.com:8443/a"),
        ("http://[::1]:8900/posts", "[::1]:8900", "http://[::1]:8900/posts"),
        ("http://example.com?a=/b", "example.com", "http://example.com/"),
    ],
)
def test_an_address_has_a_budget_key_and_a_harmless_name(text: str, key: str, place: str) -> None:
    url = parse(text)

    assert (url.key, url.place, url.text) == (key, place, text)


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
        "http://exämple.com/",
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


def test_encryption_is_never_given_up() -> None:
    assert parse("https://example.com/").leads_to("http://example.com/") is None
    assert parse("http://example.com:8080/").leads_to("https://example.com:8080/") is None


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("", None),
        ('<https://e.com/2>; rel="next"', "https://e.com/2"),
        ("</2>;rel=next", "/2"),
        ('</1>; rel="prev", </3>; title="a, <b>"; rel="next"', "/3"),
        ('</9>; rel="last next"', "/9"),
        ('</9>; REL="Next"', "/9"),
        ('</9>; rel="nextish"', None),
        ("</9>", None),
        ("<" * 5000 + '"' * 5000, None),
    ],
)
def test_the_next_page_is_found_in_a_link_header(header: str, target: str | None) -> None:
    assert next_link(header) == target
