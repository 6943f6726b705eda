"""Where webhooks may go."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbus_notifier.webhooks.target import is_public, parse_target

PRIVATE_V4 = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
PUBLIC_V4 = ["1.1.1.1", "9.255.255.255", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "223.255.255.1"]
PRIVATE_V6 = [
    "::",
    "::1",
    "::127.0.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "2001::1",
    "2001:10::1",
    "3fff::1",
    "100::1",
    "64:ff9b:1::a00:1",
    "4000::1",
]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:200::1"]


def carried(address: str) -> list[str]:
    """The IPv6 addresses that stand for an IPv4 address: mapped, NAT64 and 6to4."""
    number = int(ip_address(address))
    high, low = number >> 16, number & 0xFFFF
    return [f"::ffff:{address}", f"64:ff9b::{high:x}:{low:x}", f"2002:{high:x}:{low:x}::1"]


@pytest.mark.parametrize("address", [*PRIVATE_V4, *PRIVATE_V6, *(form for one in PRIVATE_V4 for form in carried(one))])
def test_an_address_of_no_host_on_the_internet_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", [*PUBLIC_V4, *PUBLIC_V6, *(form for one in PUBLIC_V4 for form in carried(one))])
def test_an_address_of_a_host_on_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses())
def test_nothing_is_public_that_python_calls_private_or_reserved(address: object) -> None:
    one = ip_address(str(address))
    if one.is_private or one.is_loopback or one.is_link_local or one.is_multicast or one.is_unspecified:
        mapped = getattr(one, "ipv4_mapped", None)
        assert not is_public(one) or mapped is not None


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hooks",
        "ftp://example.com/",
        "https:///hooks",
        "example.com/hooks",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://@example.com/",
        "https://example.com/#part",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com:port/",
        "https://[::1",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://exa mple.com/",
        "https://example.com/\r\nx: y",
        "https://exämple.com/",
    ],
)
def test_a_url_that_is_private_plain_or_malformed_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_target(url, allow_private=False)
    assert url not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_target_keeps_path_query_and_port() -> None:
    target = parse_target("https://hooks.example.com:8443/in/chat?token=abc", allow_private=False)
    assert (target.host, target.port, target.path) == ("hooks.example.com", 8443, "/in/chat?token=abc")
    assert target.authority == "hooks.example.com:8443"
    assert parse_target("https://example.com", allow_private=False).path == "/"
    assert parse_target("https://[2606:4700::1]/", allow_private=False).authority == "[2606:4700::1]"


def test_where_private_targets_are_allowed_multicast_and_no_address_still_are_not() -> None:
    target = parse_target("http://10.0.0.1:8080/hooks", allow_private=True)
    assert all(target.is_allowed(ip_address(one)) for one in ("10.0.0.1", "127.0.0.1", "::1", "1.1.1.1"))
    assert not any(target.is_allowed(ip_address(one)) for one in ("224.0.0.1", "0.0.0.0", "ff02::1", "::"))


def test_where_private_targets_are_refused_a_public_name_may_still_not_lead_to_one() -> None:
    target = parse_target("https://example.com/", allow_private=False)
    assert target.is_allowed(ip_address("1.1.1.1"))
    assert not target.is_allowed(ip_address("10.0.0.1"))
