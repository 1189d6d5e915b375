"""`config check` prints the line that allows a private host of the settings."""

import pytest

from entrypoints.cli.private_hosts import resolved, unlisted
from entrypoints.config.loading import load
from entrypoints.wiring.container import Container

ADDRESSES = {"upstream": ["172.18.0.5"], "both": ["203.0.113.1", "10.0.0.1"], "api": ["1.1.1.1"]}


def told(**more: str) -> list[str]:
    """What is said of hosts, with every source off but the given ones."""
    off = {f"CATCHMENT_{name}_URL": "" for name in ("POSTS", "COINPAPRIKA", "GITHUB")}
    settings = load({**off, **more})
    generation = Container(settings=settings).registry().current
    return list(unlisted(settings, generation, lambda host, port: ADDRESSES.get(host, [])))


def test_names_with_a_private_address_are_told_with_the_line_that_allows_them() -> None:
    assert told(
        CATCHMENT_POSTS_URL="http://upstream:8900/posts",
        CATCHMENT_TELEMETRY_URL="http://both/point",
        CATCHMENT_ALLOWED_PRIVATE_HOSTS="a:1",
    ) == [
        "warning: both:80, upstream:8900: a private address, which is refused; to allow it, set:",
        "CATCHMENT_ALLOWED_PRIVATE_HOSTS=a:1,both:80,upstream:8900",
    ]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/", "http://api/", "http://no/"],
)
def test_what_is_allowed_as_it_stands_public_or_unknown_is_not_told(url: str) -> None:
    assert told(CATCHMENT_POSTS_URL=url) == []


def test_a_name_that_is_listed_is_not_told() -> None:
    url, listed = "http://upstream:8900/posts", "upstream:8900"

    assert told(CATCHMENT_POSTS_URL=url, CATCHMENT_ALLOWED_PRIVATE_HOSTS=listed) == []


def test_the_system_resolves_addresses_and_of_no_name_none() -> None:
    assert resolved("127.0.0.1", 80) == ["127.0.0.1"]
    assert resolved("nothing.invalid", 80) == []
