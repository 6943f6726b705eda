"""Where webhooks may go: rules for the address a product's server is configured with and resolves to. Pure.

Promises: with private targets refused, no address that belongs to this host, this network, the cloud's metadata or
nobody is public, in whatever form IPv6 can write it; plain http is private as well, for events carry people's words.
Does not resolve names; who connects asks `is_allowed` about the very address it connects to.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address

DEFAULT_PORTS: Final = {"https": 443, "http": 80}

# IANA's special-purpose registries (RFC 6890 and its successors), without the few blocks in them that are global:
# nobody serves webhooks from those.
NOT_PUBLIC_V4: Final = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the metadata of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
UNICAST_V6: Final = IPv6Network("2000::/3")  # all that was ever given out; loopback, link-local and others lie outside
NOT_PUBLIC_V6: Final = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
# Addresses that stand for an IPv4 address, and how many bits follow it: judged by that one.
CARRIERS_OF_V4: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed address of a receiver. `host` has no brackets; `path` holds the query too."""

    scheme: str
    host: str
    port: int
    path: str
    allow_private: bool

    def is_allowed(self, address: Address) -> bool:
        """Whether a connection to this address may be made."""
        return is_public(address) or (self.allow_private and not address.is_multicast and not address.is_unspecified)

    @property
    def authority(self) -> str:
        """The value of the header `host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str, *, allow_private: bool) -> Target:
    """The target that `url` means, or ValueError that does not repeat it (it may carry a token)."""
    if not url.isascii() or any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError("the URL holds white space or characters beyond ASCII (write names in punycode)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the URL is https://host[:port]/path") from None
    if parts.scheme not in DEFAULT_PORTS or not host or port == 0:
        raise ValueError("the URL is https://host[:port]/path")
    if parts.scheme == "http" and not allow_private:
        raise ValueError("plain http is refused unless private targets are allowed")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("the URL holds a user, a password or a fragment")
    target = Target(
        parts.scheme,
        host,
        DEFAULT_PORTS[parts.scheme] if port is None else port,
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        allow_private,
    )
    literal = _literal(host)
    if literal is not None and not target.is_allowed(literal):
        raise ValueError("the URL names a private address")
    return target


def is_public(address: Address) -> bool:
    """Whether it belongs to a host on the internet."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in NOT_PUBLIC_V4)
    for block, bits_behind in CARRIERS_OF_V4:
        if address in block:
            return is_public(IPv4Address(int(address) >> bits_behind & 0xFFFF_FFFF))
    return address in UNICAST_V6 and not any(address in block for block in NOT_PUBLIC_V6)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
