"""Where the server is, from the one URL that a user gives."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """The base of REST, the address of the socket, and whether both are on this machine (no proxy then)."""

    http: str
    socket: str
    loopback: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """From http://host:port, https, ws or wss, with or without a path prefix; a trailing /ws is cut off."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        scheme = _SCHEMES.get(parts.scheme)
        if scheme is None or not parts.hostname:
            raise ValueError("a server's URL looks like http://127.0.0.1:8080 or https://chat.example.com")
        path = parts.path.rstrip("/").removesuffix("/ws")
        http = urlunsplit((scheme, parts.netloc, path, "", ""))
        socket = urlunsplit(("wss" if scheme == "https" else "ws", parts.netloc, f"{path}/ws", "", ""))
        return cls(http, socket, _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
