"""Only public addresses may be connected to, whatever they are wrapped in (U35, U36)."""

import pytest

from adapters.outbound.polite.network import is_public, one_of_each_family


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "8.8.8.8",
        "2606:2800:220:1::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_a_public_address_may_be_used(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.2.1",
        "192.0.0.1",
        "192.0.0.9",
        "192.88.99.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "2001:20::1",
        "2620:4f:8000::1",
        "3fff::1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001:db8::1",
        "2001::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "0177.0.0.1",
        "2130706433",
        "localhost",
        "",
    ],
)
def test_any_other_address_may_not(address: str) -> None:
    assert not is_public(address)


def test_u36_of_hundreds_of_addresses_one_of_each_family_is_tried() -> None:
    many = [f"8.8.8.{n}" for n in range(200)] + [f"2606:2800::{n:x}" for n in range(200)]

    assert one_of_each_family(many) == ["8.8.8.0", "2606:2800::0"]
