"""Which internet addresses may be connected to: public ones, whatever they are wrapped in."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether this is the address of a machine on the public internet."""
    try:
        address = _unwrapped(ip_address(text))
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_UNICAST and address.is_global
    return address.is_global and not address.is_multicast


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 address that is only its wrapping."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def one_of_each_family(texts: list[str]) -> list[str]:
    """The first address of each version: a host with hundreds is tried twice, not hundreds."""
    firsts: dict[int, str] = {}
    for text in texts:
        firsts.setdefault(ip_address(text).version, text)
    return list(firsts.values())
