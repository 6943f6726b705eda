"""Sockets before they are WebSockets, and those of REST: uvicorn's, with the deadlines and bounds that it leaves out.

Promises: a socket that has not sent a whole request head in time is aborted, and a head is bounded in size, so that
silent or endless clients cost a descriptor for seconds and no memory. Bodies are bounded by the REST app.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from chatterbus_gateway.timer_wheel import TimerWheel

HEAD_DEADLINE_S: Final = 10.0  # from connect; later requests of the socket are under uvicorn's keep-alive timeout
HEAD_MAX_BYTES: Final = 64 * 1024  # a token of full length and what browsers and proxies add


class HttpSocket(HttpToolsProtocol):
    """One per accepted connection."""

    def __init__(
        self,
        wheel: TimerWheel,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.tick: int | None = None
        self._wheel = wheel
        self._in_head = True
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock starts."""
        super().connection_made(transport)
        self._wheel.schedule(self, self.loop.time() + HEAD_DEADLINE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """The clock stops."""
        self._wheel.forget(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """websocket.py has its own deadlines."""
        self._wheel.forget(self)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Parse, unless the head is endless."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_MAX_BYTES:  # asked afterwards: a body may come in the same read
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._wheel.forget(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is a head again."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def visit(self, _now_s: float) -> float | None:
        """Called by the wheel: no head came."""
        self.transport.abort()
        return None


def http_socket(wheel: TimerWheel) -> Callable[..., HttpSocket]:
    """What `uvicorn.Config(http=...)` wants."""
    return partial(HttpSocket, wheel)
