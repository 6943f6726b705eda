"""uvicorn, inside our own loop and without its signal handling.

Promises: `start` returns when the port is open; SIGTERM is left to lifecycle.py, since uvicorn would close every socket
at once; `stop` ends within its timeout. The port is released as soon as `stop` begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn

START_TIMEOUT_S: Final = 5.0
BACKLOG: Final = 2_048  # a storm of reconnects waits here while the loop is busy


class GatewayServer(uvicorn.Server):
    """Made with the REST app and what makes protocols for HTTP and for WebSockets."""

    def __init__(
        self, app: Any, http: Callable[..., asyncio.Protocol], sockets: Callable[..., asyncio.Protocol]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=http,  # type: ignore[arg-type] # uvicorn only calls it
                ws=sockets,  # type: ignore[arg-type] # uvicorn only calls it
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=2,
            )
        )
        self._up = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when the address is taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        listening.setblocking(False)
        self._serving = asyncio.get_running_loop().create_task(self.serve(sockets=[listening]), name="server")
        async with asyncio.timeout(START_TIMEOUT_S):
            await self._up.wait()
        return int(listening.getsockname()[1])

    async def stop(self, timeout_s: float = 3.0) -> None:
        """End open requests, then what is left."""
        if self._serving is None:
            return
        self.should_exit = True
        await asyncio.wait({self._serving}, timeout=timeout_s)
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        self._serving = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when the port is open."""
        await super().startup(sockets)
        self._up.set()
