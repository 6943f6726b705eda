from __future__ import annotations

import pytest

from chatterbus_gateway.origins import host_allowed, origin_allowed

ALLOWED = frozenset({"https://app.example.com", "http://shop.example.com:3000", "capacitor://localhost"})
HOST = "chat.example.com"


@pytest.mark.parametrize(
    ("origin", "host", "may"),
    [
        (None, HOST, True),
        # listed
        ("https://app.example.com", HOST, True),
        ("https://APP.Example.COM", HOST, True),
        ("https://app.example.com:443", HOST, True),
        ("http://shop.example.com:3000", HOST, True),
        ("capacitor://localhost", HOST, True),
        # listed, nearly
        ("http://app.example.com", HOST, False),
        ("https://app.example.com:8443", HOST, False),
        ("http://shop.example.com", HOST, False),
        ("https://evil-app.example.com", HOST, False),
        ("https://evilapp.example.com", HOST, False),
        ("https://app.example.com.evil.org", HOST, False),
        ("https://app.example.com.", HOST, False),
        ("https://app.example.com@evil.org", HOST, False),
        ("https://evil.org#app.example.com", HOST, False),
        ("https://evil.org/https://app.example.com", HOST, False),
        ("https://app.example.com/", HOST, False),
        ("https://app.example.com/path", HOST, False),
        ("https://app.example.com evil.org", HOST, False),
        ("https://app.example.com\n", HOST, False),
        ("https://app.example.com,https://evil.org", HOST, False),
        ("https://app.example.com:443:443", HOST, False),
        ("https://app.example.com:", HOST, False),
        ("https://app.example.com:٤٤٣", HOST, False),
        ("https://аpp.example.com", HOST, False),
        ("//app.example.com", HOST, False),
        ("app.example.com", HOST, False),
        ("https://sub.app.example.com", HOST, False),
        ("https://*.example.com", HOST, False),
        ("*", HOST, False),
        ("null", HOST, False),
        ("", HOST, False),
        ("file://", HOST, False),
        # own host
        ("https://chat.example.com", HOST, True),
        ("http://chat.example.com", HOST, True),
        ("https://CHAT.example.com", "chat.EXAMPLE.com:443", True),
        ("https://chat.example.com", "chat.example.com:80", False),
        ("http://chat.example.com:8080", "chat.example.com:8080", True),
        ("http://chat.example.com:8080", "chat.example.com:8081", False),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("https://chat.example.com.evil.org", HOST, False),
        ("ftp://chat.example.com", HOST, False),
        ("https://chat.example.com", "", False),
        ("https://chat.example.com", "chat.example.com/..", False),
        # loopback pages have no special right outside development mode
        ("http://localhost:5173", HOST, False),
    ],
)
def test_an_origin_is_compared_whole(origin: str | None, host: str, may: bool) -> None:
    assert origin_allowed(origin, host, ALLOWED, dev=False) is may


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        ("http://localhost:5173", True),
        ("http://127.0.0.1", True),
        ("https://127.8.9.1:1", True),
        ("http://[::1]:9", True),
        ("http://app.localhost:3000", True),
        ("http://localhost.evil.org", False),
        ("http://evil-localhost", False),
        ("http://127.0.0.1.evil.org", False),
        ("http://0.0.0.0:8080", False),
        ("https://evil.org", False),
        ("null", False),
        ("https://app.example.com", True),
    ],
)
def test_development_mode_lets_in_pages_of_this_machine_and_the_listed(origin: str, may: bool) -> None:
    assert origin_allowed(origin, "localhost:8080", ALLOWED, dev=True) is may


def test_a_page_whose_name_was_repointed_at_this_machine_is_refused_in_development_mode() -> None:
    assert not origin_allowed("http://rebound.evil.org:8080", "rebound.evil.org:8080", frozenset(), dev=True)


def test_a_star_lets_in_all_but_null() -> None:
    anyone = frozenset({"*"})
    assert origin_allowed("https://anything.org", HOST, anyone, dev=False)
    assert not origin_allowed("null", HOST, anyone, dev=False)


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LOCALHOST", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("app.example.com", True),
        ("rebound.evil.org:8080", False),
        ("localhost.evil.org", False),
        ("", False),
        ("localhost@evil.org", False),
    ],
)
def test_development_mode_answers_to_loopback_and_listed_hosts_only(host: str, may: bool) -> None:
    assert host_allowed(host, ALLOWED, dev=True) is may
    assert host_allowed(host, ALLOWED, dev=False)
