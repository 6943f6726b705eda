"""WebSocket frames into messages (RFC 6455, section 5.4). Pure.

Promises: a text message in any number of fragments comes out whole, other frames between them or not; more than
`max_bytes` of it, a binary one, or fragments out of place raise Malformed with the close code that RFC 6455 asks for.
"""

from __future__ import annotations

from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2

PROTOCOL_ERROR: Final = 1002
UNSUPPORTED_DATA: Final = 1003
INVALID_TEXT: Final = 1007
MESSAGE_TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011


class Malformed(Exception):
    """The connection is to be closed with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Fragments:
    """The message that is arriving; one per connection that sends fragments."""

    __slots__ = ("_max_bytes", "_parts", "_size")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] | None = None
        self._size = 0

    def add(self, opcode: int, payload: bytes, fin: bool) -> bytes | None:
        """The message, if this data frame ends it. Raises Malformed."""
        if opcode == BINARY:
            raise Malformed(UNSUPPORTED_DATA, "send text frames")
        if (opcode == TEXT) == (self._parts is not None):
            raise Malformed(PROTOCOL_ERROR, "a fragment out of place")
        if self._parts is None:
            self._parts = []
            self._size = 0
        # The empty fragment costs nothing to send: count what keeping it costs.
        self._size += len(payload) or 1
        if self._size > self._max_bytes:
            raise Malformed(MESSAGE_TOO_BIG, "the message is too big")
        self._parts.append(payload)
        if not fin:
            return None
        message = b"".join(self._parts)
        self._parts = None
        return message
