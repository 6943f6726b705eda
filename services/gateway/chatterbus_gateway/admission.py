"""Who may open a socket at all, decided on the upgrade request, before it is accepted. Pure.

Promises: a foreign page (Origin), a path that is not the socket's, a draining gateway and an address that has its share
are refused with an HTTP status, so that no socket comes into being. Believes X-Forwarded-For from trusted proxies only.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from chatterbus_gateway.origins import host_allowed, origin_allowed

SOCKET_PATH: Final = "/ws"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Headers(Protocol):
    """Case-insensitive header access."""

    def get(self, name: str) -> str | None:
        """The (first) value of a header."""

    def getall(self, name: str, default: list[str]) -> list[str]:
        """All its values."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The rules, from settings."""

    allowed_origins: frozenset[str]
    trusted_proxies: tuple[Network, ...]
    dev_mode: bool

    def refusal(self, path: str, headers: Headers) -> HTTPStatus | None:
        """Why this upgrade is refused, whoever asks; None: it may go on."""
        if path.partition("?")[0] != SOCKET_PATH:
            return HTTPStatus.NOT_FOUND
        origins = headers.getall("Origin", [])
        host = headers.get("Host") or ""
        if len(origins) > 1 or not origin_allowed(
            origins[0] if origins else None, host, self.allowed_origins, self.dev_mode
        ):
            return HTTPStatus.FORBIDDEN
        if not host_allowed(host, self.allowed_origins, self.dev_mode):
            return HTTPStatus.FORBIDDEN
        return None

    def address(self, peer: str, headers: Headers) -> str:
        """The client's address: the last one before our proxies in X-Forwarded-For, or the peer itself."""
        if not self.trusted_proxies:
            return peer
        hops = [hop.strip() for value in headers.getall("X-Forwarded-For", []) for hop in value.split(",")]
        address = peer
        while self._trusted(address) and hops:
            address = hops.pop()
        return address

    def _trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.trusted_proxies)


def bearer_token(headers: Headers) -> str | None:
    """The token of an Authorization header, if there is one."""
    scheme, _, token = (headers.get("Authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
