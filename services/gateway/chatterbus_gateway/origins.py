"""Which web pages may talk to this gateway.

A browser sends no custom header with a WebSocket, so the Origin header, which pages cannot forge, is what keeps a
foreign page from using a visitor's network position. Promises: pure; an origin is compared whole (scheme, host, port),
never by prefix or suffix; what does not parse is refused. Does not protect against programs: they send any Origin.
"""

import re
from typing import Final, NamedTuple

ANY: Final = "*"
DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
WEB_SCHEMES: Final = frozenset({"http", "https"})
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
_HOST: Final = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
_LOOPBACK: Final = re.compile(r"localhost|[a-z0-9-]+\.localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]|::1", re.ASCII)


class Origin(NamedTuple):
    """A parsed origin; `port` is None where the scheme has no default and none was given."""

    scheme: str
    host: str
    port: int | None


def parse_origin(text: str) -> Origin | None:
    """`scheme://host[:port]` in any case, default port filled in; None for anything else, `null` included."""
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        return None
    scheme = found["scheme"]
    port = int(found["port"]) if found["port"] else DEFAULT_PORTS.get(scheme)
    return Origin(scheme, found["host"], port)


def is_loopback(host: str) -> bool:
    """Whether a host name without port is this machine by definition (RFC 6761: no resolver may say otherwise)."""
    return _LOOPBACK.fullmatch(host.lower()) is not None


def origin_allowed(origin: str | None, host: str, allowed: frozenset[str], dev: bool) -> bool:
    """Whether a request with this Origin and Host header may pass.

    No Origin: not a browser. `allowed` holds `scheme://host[:port]` entries, or "*" for all but `null`. The gateway's
    own Host is allowed, except that in development mode (`dev`), where nobody needs a token, it must be loopback: a
    page whose name was re-pointed at 127.0.0.1 (DNS rebinding) sends an Origin that equals its Host.
    """
    if origin is None:
        return True
    asked = parse_origin(origin)
    if asked is None:
        return False
    if ANY in allowed or asked in _parsed(allowed):
        return True
    if dev:
        return asked.scheme in WEB_SCHEMES and is_loopback(asked.host)
    return _is_own(asked, host)


def host_allowed(host: str, allowed: frozenset[str], dev: bool) -> bool:
    """Whether a Host header may pass: outside development mode any; in it loopback and the allowed origins' hosts.

    A page's own GET carries no Origin, so this is what stops DNS rebinding there.
    """
    if not dev:
        return True
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return False
    return is_loopback(found["host"]) or any(found["host"] == origin.host for origin in _parsed(allowed))


def _is_own(asked: Origin, host: str) -> bool:
    # Behind a proxy that ends TLS the gateway cannot know its own scheme, so Host's port is read in the origin's.
    found = _HOST.fullmatch(host.lower())
    if found is None or asked.scheme not in WEB_SCHEMES:
        return False
    port = int(found["port"]) if found["port"] else DEFAULT_PORTS[asked.scheme]
    return (found["host"], port) == (asked.host, asked.port)


def _parsed(allowed: frozenset[str]) -> set[Origin]:
    return {parsed for entry in allowed if (parsed := parse_origin(entry)) is not None}
