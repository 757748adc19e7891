"""Which addresses are public: those that the registries give to hosts of the internet, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Named here rather than left to ipaddress: what that calls global differs between releases of Python, and it counts
# among them addresses that stand for others.
NOT_PUBLIC_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this host, on this network (RFC 791)
            "10.0.0.0/8",  # private (RFC 1918)
            "100.64.0.0/10",  # shared by carriers (RFC 6598)
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # a public address that is a host's own service in one large cloud
            "169.254.0.0/16",  # link-local, and the metadata of clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
GLOBAL_6: Final = IPv6Network("2000::/3")
"""All that is given to hosts; loopback, link-local, unique local, multicast and mapped addresses are outside."""
NOT_PUBLIC_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: stands for an IPv4 address
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for: mapped, or translated by NAT64; else the address."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Tell whether ``address`` is one of a host of the internet."""
    found = plain(address)
    if isinstance(found, IPv4Address):
        return not any(found in network for network in NOT_PUBLIC_4)
    if found.scope_id is not None or (int(found) >> 32) & 0xFFFFFFFF in _ISATAP:
        return False
    return found in GLOBAL_6 and not any(found in network for network in NOT_PUBLIC_6)


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Tell whether ``address``, or what it stands for, is in one of ``networks``."""
    found = plain(address)
    return getattr(found, "scope_id", None) is None and any(found in one for one in networks)
