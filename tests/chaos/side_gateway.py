"""One more gateway of a running cluster, whose way to NATS can be cut: a process of its own behind a TCP proxy."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from bench.cores import rss_bytes
from tests.chaos.cluster import Cluster
from tests.kit.nats_server import free_port
from tests.kit.tcp_proxy import TcpProxy, open_proxy
from tests.kit.waiting import until

READY_WITHIN_S: Final = 30.0
STOPPED_WITHIN_S: Final = 30.0
MIB: Final = 1_048_576


class SideGateway:
    """See the module."""

    def __init__(self, port: int, nats: TcpProxy, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.nats = nats
        self.process = process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def rss_mb(self) -> float:
        """Memory now."""
        return rss_bytes(self.process.pid) / MIB

    async def is_ready(self) -> bool:
        """By its own word."""
        async with httpx.AsyncClient(timeout=1) as client:
            with contextlib.suppress(httpx.HTTPError):
                return (await client.get(f"{self.url}/readyz")).is_success
        return False


@asynccontextmanager
async def side_gateway(cluster: Cluster, log: Path, **settings: str) -> AsyncIterator[SideGateway]:
    """Ready at the beginning; gone at the end."""
    env = _environment_of(cluster.pid("gateway-1"))
    nats = urlsplit(env["NATS_URL"])
    there = (str(nats.hostname), int(nats.port or 0))
    async with open_proxy(lambda: there) as proxy:
        before_host, _, _ = nats.netloc.rpartition("@")
        through = f"{before_host}@127.0.0.1:{proxy.port}" if before_host else f"127.0.0.1:{proxy.port}"
        port = free_port()
        env |= {"NATS_URL": nats._replace(netloc=through).geturl(), "GATEWAY_PORT": str(port), **settings}
        env.pop("GATEWAY_ID", None)
        process = _start(env, log)
        made = SideGateway(port, proxy, process)
        try:
            await until(made.is_ready, READY_WITHIN_S, f"the gateway beside is ready, see {log}")
            yield made
        finally:
            proxy.pass_all()
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(process.wait, STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment_of(pid: int | None) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(pair.decode().partition("=")[::2] for pair in pairs if pair)


def _start(env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as sink:
        return subprocess.Popen([sys.executable, "-m", "chatterbus_gateway"], env=env, stdout=sink, stderr=sink)
