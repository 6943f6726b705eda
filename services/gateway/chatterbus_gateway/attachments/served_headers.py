"""How a file may be used by the browser that gets it. Pure.

Promises: only SHOWN types are shown in place, under their own type; everything else is downloaded, whatever it says of
itself, so that no markup or script of a user's runs with the product's rights; the browser does not guess types
(`nosniff`), and a file that is opened all the same has no rights at all (`sandbox`).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from chatterbus_gateway.attachments.content_types import SHOWN

# A file never changes under its id. A day, not for ever: what was deleted should leave caches.
CACHE_CONTROL: Final = "private, max-age=86400, immutable"
ATTR_CHARS: Final = "!#$&+-.^_`|~"  # RFC 8187, beside letters and digits


def served_headers(name: str, content_type: str, etag: str) -> dict[str, str]:
    """Every header but those about length and range."""
    return {
        "Content-Type": content_type,
        "Content-Disposition": disposition(name, inline=content_type in SHOWN),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-site",
        "Cache-Control": CACHE_CONTROL,
        "Vary": "Authorization, X-User-Id",
        "Accept-Ranges": "bytes",
        "ETag": etag,
    }


def disposition(name: str, *, inline: bool) -> str:
    """Content-Disposition (RFC 6266): the name in ASCII for old clients, and as it is."""
    kind = "inline" if inline else "attachment"
    plain = "".join(char if " " <= char <= "~" and char not in '"\\%' else "_" for char in name)
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe=ATTR_CHARS)}"
    return f'{kind}; filename="{plain}"{exact}'
