"""A WebSocket client of a few lines that may stop reading, never answers pings, and is cheap to have by the hundred.

Promises: what it sends is masked as it must be; frames that come are counted, and looked into only where a reader wants
them. It answers pings only where it is told to, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any, Final

UPGRADED_WITHIN_S: Final = 30.0
SMALL_WINDOW_BYTES: Final = 4_096
TEXT: Final = 1
CLOSE: Final = 8
PING: Final = 9
PONG: Final = b"\x8a\x80\0\0\0\0"


class RawSocket(asyncio.Protocol):
    """Made with `open`. `on_frame` is called with each text frame's bytes."""

    def __init__(self, on_frame: Callable[[bytes], None] | None = None, *, answers_pings: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.upgraded: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.frames = 0
        self.close_code: int | None = None
        self._on_frame = on_frame
        self._answers_pings = answers_pings
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(
        cls,
        port: int,
        *,
        small_window: bool = False,
        answers_pings: bool = False,
        on_frame: Callable[[bytes], None] | None = None,
        first: dict[str, Any] | None = None,
    ) -> RawSocket:
        """Connected and upgraded, and `first` is sent."""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        if small_window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW_BYTES)
        try:
            await loop.sock_connect(sock, ("127.0.0.1", port))
            _, made = await loop.create_connection(lambda: cls(on_frame, answers_pings=answers_pings), sock=sock)
        except BaseException:
            sock.close()
            raise
        made.write(upgrade(port))
        async with asyncio.timeout(UPGRADED_WITHIN_S):
            await made.upgraded
        if first is not None:
            made.say(**first)
        return made

    def say(self, **frame: Any) -> None:
        """One text frame."""
        self.write(masked(json.dumps(frame).encode()))

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        assert self._transport is not None
        self._transport.write(data)

    def stop_reading(self) -> None:
        """From now on the window fills."""
        assert self._transport is not None
        self._transport.pause_reading()

    def read_again(self) -> None:
        """Take what waits."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def kill(self) -> None:
        """Without a word, with RST."""
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self.upgraded.done():
            head, end, _ = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            del self._data[: len(head) + len(end)]
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self.upgraded.set_exception(ConnectionRefusedError(head.decode(errors="replace")))
                return
            self.upgraded.set_result(None)
        self._take_frames()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.upgraded.done():
            self.upgraded.set_exception(exc or ConnectionResetError())
            self.upgraded.exception()
        if not self.gone.done():
            self.gone.set_result(None)

    def _take_frames(self) -> None:
        data, at = self._data, 0
        while len(data) - at >= 2:
            size, head = data[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if len(data) - at < head + size:
                break
            self._take(data[at] & 0x0F, bytes(data[at + head : at + head + size]))
            at += head + size
        del data[:at]

    def _take(self, kind: int, payload: bytes) -> None:
        self.frames += 1
        if kind == CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big")
        elif kind == PING and self._answers_pings:
            self.write(PONG)
        elif kind == TEXT and self._on_frame is not None:
            self._on_frame(payload)


def masked(payload: bytes) -> bytes:
    """A text frame; a mask of zeros changes nothing."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + payload


def upgrade(port: int) -> bytes:
    """The request."""
    lines = (
        "GET /ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "\r\n",
    )
    return "\r\n".join(lines).encode()
