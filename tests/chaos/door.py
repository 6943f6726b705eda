"""A gateway of a rig: a process of its own in development mode, whose way to NATS is a proxy.

Promises: it goes when the rig goes; `answers` takes the persister's acks out of what NATS sends it, while it is on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from bench.cores import rss_bytes
from bench.stack import LIMITS_OFF
from tests.chaos.rig import Rig
from tests.chaos.sieve import Switch, sieve_of
from tests.kit.nats_server import free_port
from tests.kit.tcp_proxy import TcpProxy
from tests.kit.waiting import until

READY_WITHIN_S: Final = 30.0
STOPPED_WITHIN_S: Final = 30.0
MIB: Final = 1_048_576
SETTINGS: Final = {
    **LIMITS_OFF,
    "GATEWAY_DEV_MODE": "1",
    "GATEWAY_RECONNECT_JITTER_S": "0",
    "GATEWAY_DRAIN_TIMEOUT_S": "6",
}


class Door:
    """Made with `open_door`."""

    def __init__(self, log: Path, to_nats: TcpProxy, settings: dict[str, str]) -> None:
        self.port = free_port()
        self.to_nats = to_nats
        self.answers = Switch(b"chat.gw.")
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._env = {
            "PATH": os.environ["PATH"],
            "NATS_URL": f"nats://127.0.0.1:{to_nats.port}",
            "GATEWAY_PORT": str(self.port),
            **SETTINGS,
            **settings,
        }
        to_nats.sieve = sieve_of(self.answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def rss_mb(self) -> float:
        """Memory now."""
        assert self._process is not None
        return rss_bytes(self._process.pid) / MIB

    def start(self) -> None:
        """Not yet ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chatterbus_gateway"], env=self._env, stdout=log, stderr=log
            )

    async def until_ready(self) -> None:
        """By its own word."""

        async def ready() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, f"the gateway ended, see {self._log}"
            async with httpx.AsyncClient(timeout=1) as client:
                try:
                    return (await client.get(f"{self.url}/readyz")).is_success
                except httpx.HTTPError:
                    return False

        await until(ready, READY_WITHIN_S, f"the gateway is ready, see {self._log}")

    async def stop(self) -> None:
        """In order."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@asynccontextmanager
async def open_door(rig: Rig, name: str = "gateway", **settings: str) -> AsyncIterator[Door]:
    """Ready at the beginning."""
    proxy = await rig.proxy("127.0.0.1", rig.nats.port)
    door = Door(rig.home / f"{name}.log", proxy, settings)
    door.start()
    try:
        await door.until_ready()
        yield door
    finally:
        proxy.pass_all()
        await door.stop()
