"""How frames travel: as they are, in the envelope of Socket.IO, or as stanzas of XMPP. Pure.

The scenarios know one set of frames. A dialect turns them into what the server at an address expects, and back.
"""

from itertools import count
from typing import Final, Protocol

from bench.fields import text_field
from bench.xmpp import Reading, Xmpp

CONNECTED: Final = b'{"type":"connected"}'
ENGINE_IO_PATH: Final = "/socket.io/"
XMPP_PATH: Final = "/xmpp"


class Dialect(Protocol):
    """One per connection. `greets`: the server speaks first, and `CONNECTED` says when the client may."""

    greets: bool
    subprotocol: str | None

    def write(self, frame: bytes) -> bytes: ...

    def read(self, data: bytes) -> Reading:
        """Frames for the scenario, and what must be answered at once, if anything."""


class Plain:
    """A JSON object in each text frame."""

    greets = False
    subprotocol: str | None = None

    def write(self, frame: bytes) -> bytes:
        return frame

    def read(self, data: bytes) -> Reading:
        return (data,), None


class SocketIo:
    """Engine.IO 4 packets around Socket.IO 5 events; a message asks for an acknowledgement, which is its ack.

    Source: the protocols' documents. 0 open, 2 ping, 3 pong, 4 message; in it 0 connect, 2 event, 3 acknowledgement.
    """

    greets = True
    subprotocol: str | None = None

    def __init__(self) -> None:
        self._numbers = count()

    def write(self, frame: bytes) -> bytes:
        event = text_field(frame, b"type")
        number = b"%d" % next(self._numbers) if event == b"message" else b""
        rest = frame[len(event) + len(b'{"type":"",') :]
        return b'42%s["%s",{%s]' % (number, event, rest)

    def read(self, data: bytes) -> Reading:
        if data.startswith(b"42"):
            end = data.index(b'"', 4)
            return (b'{"type":"%s",%s' % (data[4:end], data[end + 3 : -1]),), None
        if data.startswith(b"43"):
            return (b'{"type":"message_ack",%s' % data[data.index(b"[") + 2 : -1],), None
        if data.startswith(b"40"):
            return (CONNECTED,), None
        return (), {b"0": b"40", b"2": b"3"}.get(data[:1])


def dialect_of(url: str) -> Dialect:
    """The address says it, as it does to every client."""
    if ENGINE_IO_PATH in url:
        return SocketIo()
    return Xmpp() if url.endswith(XMPP_PATH) else Plain()
