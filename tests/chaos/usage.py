"""What a system holds just now: memory, descriptors, connections, subscriptions, consumers. Read from outside.

Names are "<process>.<what>" and "gateways.<metric>"; what cannot be read now (a process is down) is missing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import psycopg

from bench.cores import rss_bytes

if TYPE_CHECKING:
    from tests.chaos.cluster import Cluster

ASK_TIMEOUT_S: Final = 3.0
GATEWAY_GAUGES: Final = (
    "connections",
    "users",
    "threads_followed",
    "users_watched",
    "files_moving",
    "commands_pending",
)
MIB: Final = 1_048_576
# How much more than before may be held after draining: allocators keep some memory, pools some connections.
SLACK: Final = {
    **{f"{name}.rss_mb": 48.0 for name in ("gateway-1", "gateway-2", "persister-1", "persister-2", "notifier")},
    **{f"{name}.fds": 12.0 for name in ("gateway-1", "gateway-2", "persister-1", "persister-2", "notifier", "nats")},
    "nats.rss_mb": 96.0,
    "nats.subscriptions": 24.0,
    "postgres.connections": 8.0,
}
STEADY_CONSUMERS: Final = 8.0  # of four partitions, the search, the notifier, and of revocations at two gateways
FORGOTTEN_LATER: Final = {"nats.consumers": 60.0, "nats.subscriptions": 240.0}  # readers that were killed, after 30 s
PROBE_PORTS: Final = ("PERSISTER_PROBE_PORT", "NOTIFIER_PROBE_PORT", "GATEWAY_PORT")


class Usage:
    """See the module."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._monitor = _monitored_at(Path(cluster.stack.stack.ready["dataDir"]) / "nats.conf")

    async def all_ready(self) -> bool:
        """Whether every service says so itself."""
        async with httpx.AsyncClient(timeout=ASK_TIMEOUT_S) as client:
            for name in self._services():
                url = self.url(name)
                try:
                    if url is None or not (await client.get(f"{url}/readyz")).is_success:
                        return False
                except httpx.HTTPError:
                    return False
        return True

    async def now(self) -> dict[str, float]:
        """All of it."""
        figures = self.processes()
        async with httpx.AsyncClient(timeout=ASK_TIMEOUT_S) as client:
            figures |= await self._gateways(client)
            figures |= await self._nats(client)
        figures |= await self._postgres()
        return figures

    def processes(self) -> dict[str, float]:
        """Memory in MB and descriptors, of those that are up."""
        figures: dict[str, float] = {}
        for name, pid in self._cluster.stack.stack.pids.items():
            if name == "postgres":
                continue  # its memory is shared by its backends; a sum would count it many times
            try:
                figures[f"{name}.fds"] = float(len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 - a pseudo file
            except OSError:
                continue
            figures[f"{name}.rss_mb"] = round(rss_bytes(pid) / MIB, 1)
        return figures

    def _services(self) -> list[str]:
        return [name for name in self._cluster.stack.stack.pids if name not in ("nats", "postgres")]

    def url(self, name: str) -> str | None:
        """Where its probes answer; None while it is down."""
        pid = self._cluster.pid(name)
        if pid is None:
            return None
        try:
            pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return None
        env = dict(pair.decode(errors="replace").partition("=")[::2] for pair in pairs)
        return next((f"http://127.0.0.1:{env[port]}" for port in PROBE_PORTS if port in env), None)

    async def _gateways(self, client: httpx.AsyncClient) -> dict[str, float]:
        sums = dict.fromkeys((f"gateways.{gauge}" for gauge in GATEWAY_GAUGES), 0.0)
        for url in self._cluster.stack.gateways:
            try:
                text = (await client.get(f"{url}/metrics")).text
            except httpx.HTTPError:
                continue
            for line in text.splitlines():
                name, _, value = line.partition(" ")
                short = f"gateways.{name.removeprefix('chatterbus_gateway_')}"
                if short in sums:
                    sums[short] += float(value)
        return sums

    async def _nats(self, client: httpx.AsyncClient) -> dict[str, float]:
        if self._monitor is None:
            return {}
        try:
            jetstream = (await client.get(f"{self._monitor}/jsz")).json()
            routed = (await client.get(f"{self._monitor}/subsz")).json()
        except (httpx.HTTPError, ValueError):
            return {}
        return {
            "nats.consumers": float(jetstream.get("consumers", 0)),
            "nats.subscriptions": float(routed.get("num_subscriptions", 0)),
        }

    async def _postgres(self) -> dict[str, float]:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        try:
            async with await psycopg.AsyncConnection.connect(self._cluster.dsn, connect_timeout=3) as connection:
                row = await (await connection.execute(asked)).fetchone()
        except psycopg.Error:
            return {}
        return {"postgres.connections": float(row[0])} if row else {}


def _monitored_at(config: Path) -> str | None:
    try:
        return f"http://{json.loads(config.read_text())['http']}"
    except (OSError, ValueError, KeyError):
        return None


def grown(before: dict[str, float], most: dict[str, float]) -> str:
    """How much memory the services took at most above what they had, in words."""
    names = sorted(name for name in most if name.endswith(".rss_mb") and name in before)
    return ", ".join(f"{name.removesuffix('.rss_mb')} +{max(0.0, most[name] - before[name]):.0f} MB" for name in names)
