"""Answers on the gateway's port while it waits for what it cannot start without.

A supervisor that gets no answer would kill the process, again and again, over a NATS that is away. Promises: from
`after_s` on /healthz says that the process lives and /readyz what it waits for; after `end` the port is free. What
comes up within `after_s` is never seen in this state.
"""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry

from chatterbus_runtime.health import Health
from chatterbus_runtime.probe_server import ProbeServer

AFTER_S: Final = 2.0


class Meanwhile:
    """`begin` once, `end` once."""

    def __init__(
        self, health: Health, host: str, port: int, registry: CollectorRegistry, after_s: float = AFTER_S
    ) -> None:
        self._probes = ProbeServer(health, registry)
        self._host = host
        self._port = port
        self._after_s = after_s
        self._opening: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """From now on it is being waited."""
        self._opening = asyncio.get_running_loop().create_task(self._open(), name="meanwhile")

    async def _open(self) -> None:
        await asyncio.sleep(self._after_s)
        await self._probes.start(self._host, self._port)

    async def end(self) -> None:
        """Nothing is waited for any more. An address that is taken is for the gateway itself to complain about."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._probes.stop()
