"""Takes chosen messages out of what a nats-server sends, and nothing else. Pure, but for its switch.

Promises: whatever pieces the bytes come in, what is not taken passes byte for byte and in order; a message is taken
whole, headers and all; heartbeats and the server's other words always pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LINE_END: Final = b"\r\n"
MESSAGE_KINDS: Final = frozenset({b"MSG", b"HMSG"})


@dataclass(slots=True)
class Switch:
    """While `on`, messages whose subject begins with `prefix` are taken. `taken` counts them."""

    prefix: bytes
    on: bool = False
    taken: int = 0


def sieve_of(switch: Switch) -> Callable[[], Callable[[bytes], bytes]]:
    """For TcpProxy.sieve."""
    return lambda: Sieve(switch).passed


class Sieve:
    """One connection's."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._held = bytearray()

    def passed(self, data: bytes) -> bytes:
        """What of it, and of what was held before, goes on now."""
        self._held += data
        through = bytearray()
        at = 0
        while (end := self._held.find(LINE_END, at)) >= 0:
            line = bytes(self._held[at:end])
            size = end + len(LINE_END) - at
            words = line.split()
            is_message = bool(words) and words[0] in MESSAGE_KINDS
            if is_message:
                size += int(words[-1]) + len(LINE_END)
                if at + size > len(self._held):
                    break
            if is_message and self._switch.on and words[1].startswith(self._switch.prefix):
                self._switch.taken += 1
            else:
                through += self._held[at : at + size]
            at += size
        del self._held[:at]
        return bytes(through)
