"""Who may open a socket, decided before it is accepted."""

from __future__ import annotations

import ipaddress

import pytest
from multidict import CIMultiDict

from chatterbus_gateway.admission import Admission, bearer_token

ADMISSION = Admission(frozenset({"https://app.example"}), (ipaddress.ip_network("10.0.0.0/8"),), dev_mode=False)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ws", {"Host": "chat.example"}, None),
        ("/ws?v=1", {"Host": "chat.example", "Origin": "https://app.example"}, None),
        ("/ws", {"Host": "chat.example", "Origin": "https://chat.example"}, None),
        ("/ws", {"Host": "chat.example", "Origin": "https://app.example.evil.test"}, 403),
        ("/ws", {"Host": "chat.example", "Origin": "null"}, 403),
        ("/ws", {"Host": "chat.example", "Origin": "http://app.example"}, 403),
        ("/ws/", {"Host": "chat.example"}, 404),
        ("/", {"Host": "chat.example"}, 404),
    ],
)
def test_foreign_pages_and_other_paths_are_refused(path: str, headers: dict[str, str], status: int | None) -> None:
    refusal = ADMISSION.refusal(path, CIMultiDict(headers))
    assert (None if refusal is None else int(refusal)) == status


def test_two_origins_are_refused() -> None:
    headers = CIMultiDict([("Host", "chat.example"), ("Origin", "https://app.example"), ("Origin", "https://x.test")])
    assert ADMISSION.refusal("/ws", headers) == 403


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "1.2.3.4, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("10.1.1.1", "nonsense", "nonsense"),
    ],
)
def test_a_forwarded_address_is_believed_from_our_proxies_only(peer: str, forwarded: str, address: str) -> None:
    headers = CIMultiDict({"X-Forwarded-For": forwarded} if forwarded else {})
    assert ADMISSION.address(peer, headers) == address


@pytest.mark.parametrize(
    ("value", "token"), [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer ", None)]
)
def test_the_token_of_an_authorization_header_is_found(value: str, token: str | None) -> None:
    assert bearer_token(CIMultiDict({"Authorization": value})) == token
