"""Sockets before they are WebSockets, and those of REST: uvicorn's, with the deadlines and bounds that it leaves out.

Promises: a socket that has not sent a whole request head in time is aborted, and a head is bounded in size, so that
silent or endless clients cost a descriptor for seconds and no memory. One whose peer takes nothing of what is written
to it is aborted after `stall_max_s`, also when the server has closed it already: a zero window keeps no descriptor.
Slow is not stalled. Bodies are bounded by the REST app.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from chatterbus_gateway.timer_wheel import TimerWheel

log: Final = structlog.stdlib.get_logger(__name__)

HEAD_DEADLINE_S: Final = 10.0  # from connect; later requests of the socket are under uvicorn's keep-alive timeout
WATCH_EVERY_S: Final = 5.0  # whether what was written is taken
HEAD_MAX_BYTES: Final = 64 * 1024  # a token of full length and what browsers and proxies add


class HttpSocket(HttpToolsProtocol):
    """One per accepted connection."""

    def __init__(
        self,
        wheel: TimerWheel,
        stall_max_s: float,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.tick: int | None = None
        self._wheel = wheel
        self._stall_max_s = stall_max_s
        self._head_by_s: float | None = None
        self._stalled_since_s: float | None = None
        self._left_bytes = 0  # not taken by the peer, when it was last looked at
        self._in_head = True
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The clock starts."""
        super().connection_made(transport)
        self._head_by_s = self.loop.time() + HEAD_DEADLINE_S
        self._wheel.schedule(self, min(self._head_by_s, self.loop.time() + WATCH_EVERY_S))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is watched any more."""
        self._wheel.forget(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """websocket.py has its own deadlines."""
        self._wheel.forget(self)
        super().handle_websocket_upgrade()
        # This object and its parser hold each other: thousands would wait for the collector, which comes seldom here.
        self.parser = None  # type: ignore[assignment] # as uvicorn does when a connection is lost

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
        self._head_by_s = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """What comes next is a head again."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def resume_writing(self) -> None:
        """The peer took something."""
        self._stalled_since_s = None
        super().resume_writing()

    def visit(self, now_s: float) -> float | None:
        """Called by the wheel."""
        if self._head_by_s is not None and now_s >= self._head_by_s:
            self.transport.abort()  # no head came
            return None
        if self._is_stalled(now_s):
            log.info("a reader takes nothing", left_bytes=self._left_bytes)
            self.transport.abort()
            return None
        next_s = now_s + min(WATCH_EVERY_S, self._stall_max_s)
        return next_s if self._head_by_s is None else min(next_s, self._head_by_s)

    def _is_stalled(self, now_s: float) -> bool:
        left_bytes = self.transport.get_write_buffer_size()
        # While neither holds, more may be written: the buffer's size says nothing about the peer.
        grows_no_more = self.flow.write_paused or self.transport.is_closing()
        if not left_bytes or not grows_no_more:
            self._stalled_since_s = None
        elif self._stalled_since_s is None or left_bytes < self._left_bytes:
            self._stalled_since_s = now_s
        self._left_bytes = left_bytes
        return self._stalled_since_s is not None and now_s - self._stalled_since_s >= self._stall_max_s


def http_socket(wheel: TimerWheel, *, stall_max_s: float) -> Callable[..., HttpSocket]:
    """What `uvicorn.Config(http=...)` wants."""
    return partial(HttpSocket, wheel, stall_max_s)
