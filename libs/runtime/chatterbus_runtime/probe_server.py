"""/healthz, /readyz and /metrics over HTTP, for a process without a web server of its own.

Promises: /healthz answers 200 while the event loop turns; /readyz answers 200 or 503 with the report of Health;
/metrics is Prometheus text. The server leaves the process's signals alone (uvicorn would take them) and logs no
requests. It has no authentication: bind it to an address only the operator reaches.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from chatterbus_runtime.health import Health

START_TIMEOUT_S: Final = 5.0
STOP_TIMEOUT_S: Final = 2.0  # open requests get 1 s of it
MAX_CONNECTIONS: Final = 64  # overflow: 503; scrapers and probes are few


def probe_routes(health: Health, registry: CollectorRegistry = REGISTRY) -> list[Route]:
    """The three routes, to mount in an app that has a server already."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        return JSONResponse(health.report(), status_code=200 if health.ready else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


class ProbeServer:
    def __init__(self, health: Health, registry: CollectorRegistry = REGISTRY) -> None:
        self._app = Starlette(routes=probe_routes(health, registry))
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is a free one when `port` is 0. Raises OSError when the address is taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            ws="none",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._serving = asyncio.get_running_loop().create_task(
            self._server.serve(sockets=[listening]), name="probe server"
        )
        async with asyncio.timeout(START_TIMEOUT_S):
            await self._server.up.wait()
        return int(listening.getsockname()[1])

    async def stop(self) -> None:
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await asyncio.wait({self._serving}, timeout=STOP_TIMEOUT_S)
        self._serving.cancel()
        self._server = self._serving = None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()
