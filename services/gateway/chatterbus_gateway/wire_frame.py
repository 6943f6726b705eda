"""WebSocket frames as a server sends them (RFC 6455, section 5.2). Pure.

Promises: a server's frames are unmasked, so the bytes made here once serve every recipient, and several frames joined
are still frames. Never fragments, never compresses.
"""

from __future__ import annotations

from typing import Final

TEXT: Final = 0x81
_CLOSE: Final = 0x88
_PONG: Final = 0x8A
CONTROL_MAX_BYTES: Final = 125  # RFC 6455, section 5.5
_REASON_MAX_BYTES: Final = CONTROL_MAX_BYTES - 2

PING: Final = b"\x89\x00"


def ws_frame(payload: bytes) -> bytes:
    """A text frame."""
    size = len(payload)
    if size < 126:
        return b"\x81%c%b" % (size, payload)
    if size < 65_536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), payload)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), payload)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping: the same payload, at most CONTROL_MAX_BYTES."""
    return bytes((_PONG, len(payload))) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is cut to fit, at a character."""
    text = reason.encode()[:_REASON_MAX_BYTES].decode(errors="ignore").encode()
    return bytes((_CLOSE, len(text) + 2)) + code.to_bytes(2, "big") + text
