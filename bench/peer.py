"""One connection of the generator: C-backed and callback-driven, so that the generator is not what is measured."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.dialects import CONNECTED, Dialect, dialect_of

READY_TIMEOUT_S: Final = 20.0


class Peer(WSListener):
    """A user on a socket. `on_frame` gets the raw bytes of every frame after the subscription."""

    def __init__(
        self, user: str, thread: str | None, on_frame: Callable[["Peer", bytes], None], dialect: Dialect
    ) -> None:
        super().__init__()
        self.user = user
        self.thread = thread
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = False
        self._on_frame = on_frame
        self._dialect = dialect
        self._transport: WSTransport | None = None

    @classmethod
    async def join(cls, url: str, user: str, thread: str | None, on_frame: Callable[["Peer", bytes], None]) -> "Peer":
        """Connect, authenticate in development mode, follow the thread if there is one."""
        dialect = dialect_of(url)
        headers = {"Sec-WebSocket-Protocol": dialect.subprotocol} if dialect.subprotocol else None
        _, peer = await ws_connect(
            lambda: cls(user, thread, on_frame, dialect),
            url,
            extra_headers=headers,
            websocket_handshake_timeout=READY_TIMEOUT_S,
        )
        assert isinstance(peer, Peer)
        async with asyncio.timeout(READY_TIMEOUT_S):
            await peer.ready
        return peer

    def send(self, frame: bytes) -> None:
        assert self._transport is not None
        self._transport.send(WSMsgType.TEXT, self._dialect.write(frame))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        if not self._dialect.greets:
            self._authenticate()

    def _authenticate(self) -> None:
        auth: dict[str, Any] = {"type": "auth", "userId": self.user, "userType": "user"}
        if self.thread is not None:
            auth["threadId"] = self.thread
        self.send(json.dumps(auth, separators=(",", ":")).encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.TEXT:
            frames, answer = self._dialect.read(frame.get_payload_as_bytes())
            if answer is not None:
                transport.send(WSMsgType.TEXT, answer)
            for data in frames:
                if self.ready.done():
                    self._on_frame(self, data)
                else:
                    self._on_opening(data)

    def _on_opening(self, data: bytes) -> None:
        if data == CONNECTED:
            self._authenticate()
        elif data.startswith(b'{"type":"auth_success"' if self.thread is None else b'{"type":"subscribed"'):
            self.ready.set_result(None)
        elif data.startswith(b'{"type":"error"'):
            self.ready.set_exception(RuntimeError(data.decode()))

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        self.lost = True
