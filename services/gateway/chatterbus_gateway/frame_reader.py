"""Bytes of a client into WebSocket frames: picows' parser, lent to sockets that have something to parse.

The only file that knows picows' inner constructor and what its protocol object asks of a transport (picows 2.3.1 is
pinned; test_frame_reader and test_ws_frames hold the shape).

Promises: a reader hands every whole frame to its owner, in order, and keeps what is not whole; after a fault of the
peer's or of ours it hands over nothing more and says with which code the socket is to be closed. A socket with nothing
half-read needs no reader, so an idle one costs no buffers. A reader holds a few times the largest frame at most, and
one that has grown is not lent again.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import structlog
from picows.picows import (  # type: ignore[attr-defined] # its stubs leave WSProtocol out
    WSAutoPingStrategy,
    WSFrame,
    WSListener,
    WSProtocol,
    WSTransport,
)

from chatterbus_contracts.limits import FRAME_MAX_BYTES
from chatterbus_gateway.fragments import INTERNAL_ERROR, PROTOCOL_ERROR, Malformed

log: Final = structlog.stdlib.get_logger(__name__)

BUFFER_BYTES: Final = 2_048  # at first; picows doubles it when nine tenths are taken
PIECE_BYTES: Final = 1_024  # parsed at a time: half of that, so that only a large frame makes the buffer grow
SPARE_MAX: Final = 8  # kept for the next: one is in use at a time, and some come back from half-read frames

_OPENING: Final = (  # behind which a parser expects frames; the real one was answered by websocket.py
    b"GET / HTTP/1.1\r\nHost: .\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Owner(Protocol):
    """A socket, as its reader sees it."""

    def on_frame(self, frame: WSFrame) -> None:
        """A frame, valid only during the call."""


class _Nowhere:
    """The transport and the socket of a parser: what it writes was written by its owner already, or is not wanted."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self if name == "socket" else default

    def getsockopt(self, *_: int) -> int:
        return 0

    def setsockopt(self, *_: int) -> None:
        """There are none."""

    def fileno(self) -> int:
        return -1

    def get_write_buffer_size(self) -> int:
        return 1  # so that picows writes here, and not to the descriptor

    def write(self, _data: bytes) -> None:
        """Nowhere."""

    def close(self) -> None:
        """Nothing is open."""

    abort = close


class FrameReader(WSListener):
    """One parser. Made and lent by FrameReaders."""

    def __init__(self) -> None:
        self.owner: Owner | None = None
        self.fault: Malformed | None = None
        self.has_grown = False  # holds more memory than a new one
        self._left_bytes = 0  # of a frame that is not whole
        self._parser = WSProtocol(
            None,  # host_port: of a client
            None,  # ws_path: of a client
            False,  # is_client_side
            lambda _request: self,
            self,  # its logger
            True,  # disconnect_on_exception
            None,  # no handshake timeout
            False,  # enable_auto_ping
            0,
            0,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # enable_auto_pong: answers are counted and bounded like all we write
            FRAME_MAX_BYTES,
            None,  # extra_headers
            BUFFER_BYTES,
        )
        self._parser.connection_made(_Nowhere())
        self._room_bytes = len(self._parser.get_buffer(0))
        self.feed(_OPENING)
        self._left_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Nothing is half-read."""
        return not self._left_bytes

    def feed(self, data: bytes) -> None:
        """Parse the next bytes."""
        parser, size = self._parser, len(data)
        if size <= PIECE_BYTES and not self._left_bytes:  # as nearly all is
            self._left_bytes = size
            parser.get_buffer(0)[:size] = data
            parser.buffer_updated(size)
            return
        at = 0
        while at < size and self.fault is None:
            room = parser.get_buffer(0)
            taken = min(len(room), size - at, PIECE_BYTES)
            room[:taken] = data[at : at + taken]
            self._left_bytes += taken
            parser.buffer_updated(taken)
            at += taken
        if not self._left_bytes:
            self.has_grown = len(parser.get_buffer(0)) > self._room_bytes

    # --- called by picows --------------------------------------------------------------------------------------------

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        """A whole frame."""
        # picows looks at the next frame before it hands over this one: a fault may be known already, and is behind it.
        self._left_bytes = frame.tail_size
        if self.owner is not None:
            self.owner.on_frame(frame)

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - the name logging gave it
        """Only faults are wanted."""
        return False

    def debug(self, *_: object, **__: object) -> None:
        """Not wanted."""

    log = info = warning = debug

    def error(self, _message: str, *details: Any) -> None:
        """The peer broke the protocol; picows says how, (code, reason), and would close the socket."""
        code, reason = details[0] if details and isinstance(details[0], tuple) else (PROTOCOL_ERROR, "")
        self.fault = Malformed(int(code), str(reason))

    def exception(self, message: str, *_: object, **__: object) -> None:
        """The owner failed."""
        log.exception("websocket callback failed", detail=message)
        self.owner = None
        self.fault = Malformed(INTERNAL_ERROR, "internal error")


class FrameReaders:
    """Those that nobody needs now. One per gateway."""

    __slots__ = ("_spare",)

    def __init__(self) -> None:
        self._spare: list[FrameReader] = []

    def lend(self, owner: Owner) -> FrameReader:
        """An empty reader."""
        reader = self._spare.pop() if self._spare else FrameReader()
        reader.owner = owner
        return reader

    def take_back(self, reader: FrameReader) -> None:
        """An empty reader that its owner does not need any more."""
        reader.owner = None
        if len(self._spare) < SPARE_MAX and not reader.has_grown:
            self._spare.append(reader)
